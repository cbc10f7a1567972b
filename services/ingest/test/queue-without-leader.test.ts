import { createOwnBroker } from '@clicktally/testing/own-broker.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { expect, test, vi } from 'vitest'
import { createIngest, expectProblem, post } from './ingest-under-test.ts'

test('ingest is not ready while the queue has no leader, even without clicks, until it confirms again', async () => {
  const broker = await createOwnBroker()
  const { app, publisher, ready } = createIngest(broker.url, { confirmWithinMs: 500, probeEveryMs: 100 })
  await ready()
  expect(await post(app, '/v1/events', { target: 't' })).toMatchObject({ status: 202 })

  await broker.stopQueue()
  await vi.waitFor(() => expect(publisher.refusal).toBe('queue_unavailable'), patience)
  // Messages on a new connection are refused. It is not used for clicks until the queue confirms a message on it.
  await vi.waitFor(async () => {
    const { statusCode, body } = await app.inject('/readyz')
    expect({ statusCode, body }).toEqual({
      statusCode: 503,
      body: '{"status":"not_ready","reason":"queue_unavailable"}',
    })
  }, patience)
  await vi.waitFor(
    async () => expectProblem(await post(app, '/v1/events', { target: 't' }), 503, 'queue_unavailable'),
    patience,
  )
  expect(publisher.heldClicks).toBe(0)

  await broker.startQueue()
  await ready()
  expect(await post(app, '/v1/events', { target: 't' })).toMatchObject({ status: 202 })
})
