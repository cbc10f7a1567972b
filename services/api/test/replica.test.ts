import { createPool } from '@clicktally/database/pool.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { createPostgresPair } from '@clicktally/testing/postgres-pair.ts'
import type { Pool } from 'pg'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createApp } from '../app.ts'
import { LiveViewers } from '../live/live-viewers.ts'
import { FallbackPool } from '../replica/fallback-pool.ts'
import { ReplicaWatch } from '../replica/replica-watch.ts'

const logger = pino({ level: 'silent' })

function poolOf(url: string): Pool {
  const pool = createPool({ url, name: 'test', logger, maxConnections: 3, statementTimeoutMs: 60_000 })
  onTestFinished(() => pool.end())
  return pool
}

/** An api in open mode over a primary and its standby. */
async function createPair() {
  const pair = await createPostgresPair()
  const pool = poolOf(pair.primary.urlAs('api'))
  const replica = poolOf(pair.standby.urlAs('api'))
  // On a busy machine a replica may take longer than usual to answer, which is not what is tested here.
  const watching = { maxLagMs: 1_000, logger, everyMs: 50, lookTimeoutMs: patience.timeout }
  const watch = new ReplicaWatch({ primary: pool, replica, ...watching })
  const registry = new Registry()
  const viewers = new LiveViewers({ maxViewers: 10, registry, isConnected: () => false })
  const databases = { pool, exportPool: pool, replica: { watch, pool: replica, exportPool: replica } }
  const app = await createApp(databases, { isOpen: true, viewers }, logger, registry)
  onTestFinished(async () => {
    viewers.close()
    await watch.close()
    await app.close()
  })
  watch.start()
  /** As a processor does. `seconds`: from now. */
  const report = (seconds: number) =>
    pair.primary.query(
      `insert into processor_progress (processor, name, counted_through, connections, reported_at)
       values ('01a20e6b-0000-7000-8000-000000000000', 'test', clock_timestamp(), '{}', now() + interval '${seconds} s')
       on conflict (processor) do update set counted_through = excluded.counted_through, reported_at = excluded.reported_at`,
    )
  return {
    ...{ pair, watch, app, report },
    untilUsed: (isUsed: boolean) => vi.waitFor(() => expect(watch.isCurrent).toBe(isUsed), patience),
    /** Of counters that only exist in one of the servers. */
    total: async () => {
      const { statusCode, body } = await app.inject('/v1/counts')
      expect(statusCode, body).toBe(200)
      return (JSON.parse(body) as { total: number }).total
    },
    metric: async (name: string) => (await registry.getSingleMetric(name)?.get())?.values[0]?.value,
  }
}

const countOne = `insert into counter_deltas (project_id, target, minute, total, bots, visitors)
  values (1, 'a', now(), 1, 0, '{}'), (1, '', now(), 1, 0, '{}')`

test('counts are read from the replica while it is current, and from the primary while it is behind', async () => {
  const { pair, report, untilUsed, total, metric, watch } = await createPair()
  await report(0)
  await untilUsed(true)
  expect(await metric('clicktally_replica_used')).toBe(1)

  await pair.standby.query('select pg_wal_replay_pause()')
  await pair.primary.query(countOne)
  // A processor reports several times a second. The replica has not seen this, and is still within the limit.
  await report(0.5)
  await vi.waitFor(() => expect(watch.lagMs).toBeGreaterThan(0), patience)
  expect(watch.isCurrent).toBe(true)
  expect(await total()).toBe(0)

  await report(60)
  await untilUsed(false)
  expect(await metric('clicktally_replica_used')).toBe(0)
  expect(await metric('clicktally_replica_lag_seconds')).toBeGreaterThan(1)
  expect(await total()).toBe(1)

  await pair.standby.query('select pg_wal_replay_resume()')
  await untilUsed(true)
  expect(await total()).toBe(1)
})

test('the api is ready while either server can be read', async () => {
  const { pair, app, report, untilUsed, total, metric } = await createPair()
  const status = async () => (await app.inject('/readyz')).statusCode
  await report(0)
  await untilUsed(true)
  await pair.primary.kill()
  expect(await status()).toBe(200)
  // What the replica has is all that was committed, so it is not behind, however long the primary is away.
  expect(await total()).toBe(0)
  await pair.standby.kill()
  await untilUsed(false)
  expect(await metric('clicktally_replica_lag_seconds')).toBeUndefined()
  const { statusCode, body } = await app.inject('/readyz')
  expect({ statusCode, body }).toEqual({
    statusCode: 503,
    body: '{"status":"not_ready","reason":"database_unavailable"}',
  })
  expect((await app.inject('/v1/counts')).json()).toMatchObject({ status: 503, code: 'database_unavailable' })
})

test('the standby shows in the metrics, and whether commits wait for it', async () => {
  const { pair, metric } = await createPair()
  await vi.waitFor(async () => expect(await metric('clicktally_database_standbys')).toBe(1), patience)
  expect(await metric('clicktally_database_synchronous')).toBe(0)
  await pair.synchronize()
  // Connections that exist get the setting at their next statement.
  await vi.waitFor(async () => expect(await metric('clicktally_database_synchronous')).toBe(1), patience)
})

test('a pool that cannot connect is passed over, and the error is that of the last', async () => {
  const away = (host: string) => poolOf(`postgres://u:p@127.0.0.1:${host}/d`)
  const pair = await createPostgresPair()
  const client = await new FallbackPool([
    { pool: away('1') },
    { pool: poolOf(pair.standby.urlAs('api')), isUsable: () => false },
    { pool: poolOf(pair.primary.urlAs('api')) },
  ]).connect()
  const { rows } = await client.query('select pg_is_in_recovery() as standby')
  client.release()
  expect(rows).toEqual([{ standby: false }])
  await expect(new FallbackPool([{ pool: away('1') }, { pool: away('2') }]).connect()).rejects.toThrow('127.0.0.1:2')
})
