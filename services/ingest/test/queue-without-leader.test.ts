import { createOwnBroker } from '@clicktally/testing/own-broker.ts'
import { expect, test, vi } from 'vitest'
import { createIngest, expectProblem, patience, post } from './ingest-under-test.ts'

test('a queue without a leader makes ingest not ready, clicks or no clicks, until it confirms again', async () => {
  const broker = await createOwnBroker()
  const { app, publisher, ready } = createIngest(broker.url, { confirmWithinMs: 500, probeEveryMs: 100 })
  await ready()
  expect(await post(app, '/v1/events', { target: 't' })).toMatchObject({ status: 202 })

  await broker.stopQueue()
  await vi.waitFor(() => expect(publisher.refusal).toBe('queue_unavailable'), patience)
  // A new connection is refused what it sends, and is not believed before the queue has confirmed something on it.
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
