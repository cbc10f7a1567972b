import { gzipSync } from 'node:zlib'
import { isUuidV7, randomUuidV7, timeOfUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { describe, expect, test } from 'vitest'
import { createBench, drain, post } from './ingest-under-test.ts'

const url = '/v1/backfill'
const ndjson = { 'content-type': 'application/x-ndjson' }
const may2015Ms = Date.parse('2015-05-17T10:05:03.250Z')
const oldestMs = Date.parse('2000-01-01T00:00:00Z')
const at = (timeMs: number) => new Date(timeMs).toISOString()

describe('POST /v1/backfill', () => {
  test('accepts clicks of 2015 with their own times', async () => {
    const { app, broker } = await createBench()
    const id = randomUuidV7(may2015Ms)
    const events = [
      { id, target: 'with an id', visitorId: 'v', referrer: 'r', props: { a: 1 }, bot: true },
      { target: 'with a time', occurredAt: at(may2015Ms) },
    ]
    const { status, body } = await post(app, url, { events })
    expect({ status, accepted: body.accepted, rejected: body.rejected }).toEqual({
      status: 202,
      accepted: 2,
      rejected: 0,
    })
    const { clicks, messages } = await drain(broker)
    expect(messages).toBe(1)
    expect(clicks).toMatchObject([
      { ...events[0], occurredAtMs: may2015Ms },
      { id: body.results[1].id, target: 'with a time', occurredAtMs: may2015Ms },
    ])
  })

  test('generates an id from the time of the click, so that it is stored with its day', async () => {
    const { app } = await createBench()
    const events = [oldestMs, may2015Ms, Date.now() - 1_000].map((timeMs) => ({ target: 't', occurredAt: at(timeMs) }))
    const { body } = await post(app, url, { events })
    const ids = body.results.map((result: { id: string }) => result.id) as string[]
    expect(ids.every(isUuidV7)).toBe(true)
    expect(ids.map((id) => at(timeOfUuidV7(id)))).toEqual(events.map(({ occurredAt }) => occurredAt))
  })

  test('generates the same ids when nginx retries a request, for any times of the clicks', async () => {
    const { app } = await createBench()
    const startMs = Date.now() - 2_000
    const headers = { ...ndjson, 'x-request-id': 'f00d', 'x-request-start': `t=${(startMs / 1000).toFixed(3)}` }
    const times = [may2015Ms, may2015Ms, Date.now() + 60_000, Date.parse('2099-01-01T00:00:00Z')]
    const body = times.map((timeMs) => JSON.stringify({ target: 't', occurredAt: at(timeMs) })).join('\n')
    const first = await post(app, url, body, headers)
    expect(first).toMatchObject({ status: 202, body: { accepted: 4 } })
    expect((await post(app, url, body, headers)).body).toEqual(first.body)
    const ids = first.body.results.map((result: { id: string }) => result.id) as string[]
    expect(new Set(ids).size).toBe(4)
    // A click in the future gets an id of the current time, as an id may be at most a day ahead.
    expect(ids.slice(2).map(timeOfUuidV7)).toEqual([startMs, startMs])
    const other = await post(app, url, body, { ...headers, 'x-request-id': 'beef' })
    expect(other.body.results[0].id).not.toBe(ids[0])
  })

  test('rejects an event without a time, and one from before 2000, and accepts the others', async () => {
    const { app, broker } = await createBench()
    const events = [
      { target: 'a', occurredAt: at(oldestMs) },
      { target: 'b' },
      { target: 'c', occurredAt: at(oldestMs - 1) },
      { target: 'd', id: randomUuidV7(oldestMs - 1) },
      { target: 'e', id: randomUuidV7(oldestMs), occurredAt: '1970-01-01T00:00:00Z' },
      { target: 'f', id: randomUuidV7(oldestMs) },
    ]
    const { status, body } = await post(app, url, events.map((event) => JSON.stringify(event)).join('\n'), ndjson)
    expect({ status, accepted: body.accepted, rejected: body.rejected }).toEqual({
      status: 202,
      accepted: 2,
      rejected: 4,
    })
    const refused = body.results.filter((result: { status: string }) => result.status === 'rejected')
    expect(refused).toEqual([
      expect.objectContaining({ index: 1, code: 'missing_field', field: 'occurredAt', detail: expect.any(String) }),
      expect.objectContaining({ index: 2, code: 'too_old_for_backfill', field: 'occurredAt' }),
      expect.objectContaining({ index: 3, code: 'too_old_for_backfill', field: 'id' }),
      expect.objectContaining({ index: 4, code: 'too_old_for_backfill', field: 'occurredAt' }),
    ])
    expect(refused[1].detail).toContain('2000-01-01')
    expect((await drain(broker)).clicks.map(({ target }) => target)).toEqual(['a', 'f'])
  })

  test('has the same rules for the future as the batch', async () => {
    const { app } = await createBench()
    const events = [
      { target: 'a', occurredAt: '2099-01-01T00:00:00Z' },
      { target: 'b', id: randomUuidV7(Date.now() + 25 * 3_600_000) },
    ]
    const { body } = await post(app, url, { events })
    expect(body.results).toMatchObject([
      { status: 'accepted', warning: 'occurred_at_clamped' },
      { status: 'rejected', code: 'id_in_future', serverTime: expect.any(String) },
    ])
  })

  test('accepts 500 events as NDJSON in gzip', async () => {
    const { app, broker } = await createBench()
    const lines = Array.from({ length: 500 }, (_, n) =>
      JSON.stringify({ target: `t${n}`, occurredAt: at(may2015Ms + n * 86_400_000) }),
    )
    const answer = await post(app, url, gzipSync(lines.join('\n')), { ...ndjson, 'content-encoding': 'gzip' })
    expect(answer).toMatchObject({ status: 202, body: { accepted: 500, rejected: 0 } })
    expect((await drain(broker)).clicks).toHaveLength(500)
  })
})

describe('accepted old clicks', () => {
  test.each(['/v1/events', '/v1/events/batch'])('%s still refuses, naming it', async (route) => {
    const { app, broker } = await createBench()
    for (const event of [
      { target: 't', occurredAt: at(may2015Ms) },
      { target: 't', id: randomUuidV7(may2015Ms) },
    ]) {
      const { status, body } = await post(app, route, route === '/v1/events' ? event : { events: [event] })
      expect(status).toBe(422)
      expect(JSON.stringify(body)).toContain('/v1/backfill')
    }
    expect(await broker.depth()).toBe(0)
  })
})
