import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createApi } from './api-under-test.ts'

/** Sets how long ago the only processor last reported that it had counted everything accepted before. */
async function reportedAgo({ owner }: Awaited<ReturnType<typeof createApi>>, interval: string): Promise<void> {
  await owner.query(
    `insert into processor_progress (processor, name, counted_through, connections)
     values (gen_random_uuid(), 'test', clock_timestamp() - $1::interval, '{}')`,
    [interval],
  )
}

describe('GET /v1/balance', () => {
  test('is all zero before the first click', async () => {
    const api = await createApi()
    const { status, body } = await api.get('/v1/balance')
    expect([status, body]).toEqual([
      200,
      {
        status: 'unknown',
        knownThrough: null,
        accepted: 0,
        counted: 0,
        duplicates: 0,
        dead: 0,
        discarded: 0,
        inFlight: 0,
        overdue: 0,
        meta: { asOf: null, lagMs: null, tz: 'UTC', source: 'ledger' },
      },
    ])
  })

  test('shows the ledger, and clicks that have not arrived, in the response and in the metrics', async () => {
    const api = await createApi()
    // The second message reports that 12 clicks were confirmed before it; 10 have arrived.
    await api.owner.query(
      `insert into messages (producer, sequence, clicks, counted, duplicates, dead, settled, confirmed)
       values ($1, 1, 10, 7, 2, 1, 0, 0), ($1, 3, 5, 5, 0, 0, 2, 12)`,
      [randomUUID()],
    )
    await api.owner.query(
      `insert into dead_letters (producer, sequence, reason, detail, content, clicks)
       values (gen_random_uuid(), 1, 'undecodable', '', '', 1)`,
    )
    await reportedAgo(api, '0 s')
    const figures = { accepted: 17, counted: 12, duplicates: 2, dead: 1, discarded: 0, inFlight: 2, overdue: 0 }
    expect((await api.get('/v1/balance')).body).toMatchObject({ status: 'current', ...figures })
    const metrics = (await api.app.inject('/metrics')).body
    for (const [kind, clicks] of Object.entries(figures)) {
      expect(metrics).toMatch(new RegExp(`^clicktally_balance_clicks{kind="${kind}"[^}]*} ${clicks}$`, 'm'))
    }
  })

  test('shows up to when it is known, and omits unknown metrics, when no message has arrived recently', async () => {
    const api = await createApi()
    await reportedAgo(api, '1 minute')
    const { body } = await api.get('/v1/balance')
    expect(body).toMatchObject({ status: 'stale', inFlight: 0 })
    expect(Date.now() - Date.parse(body.knownThrough)).toBeGreaterThanOrEqual(60_000)
    const metrics = (await api.app.inject('/metrics')).body
    expect(metrics).toMatch(/^clicktally_balance_clicks{kind="counted"[^}]*} 0$/m)
    expect(metrics).not.toMatch(/^clicktally_balance_clicks{kind="(inFlight|accepted)"/m)
    const seconds = Number(/^clicktally_balance_known_through_timestamp_seconds\S* (\S+)$/m.exec(metrics)?.[1])
    expect(seconds).toBeCloseTo(Date.parse(body.knownThrough) / 1000, 2)
  })

  test('does not fail the metrics while the database is unavailable', async () => {
    const api = await createApi()
    await api.owner.query('revoke select on messages from clicktally_api')
    const { statusCode, body } = await api.app.inject('/metrics')
    expect(statusCode).toBe(200)
    expect(body).toContain('clicktally_balance_clicks')
    expect(body).not.toMatch(/^clicktally_balance_clicks{/m)
  })
})
