import { createPool } from '@clicktally/database/pool.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { startPgbouncer } from '@clicktally/testing/pgbouncer.ts'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { startBackgroundWork } from '../background/background-work.ts'
import { createBench, createClick } from './processor-under-test.ts'

const logger = pino({ level: 'silent' })

describe('behind a PgBouncer in transaction mode', () => {
  test('more processors than connections count each click once, and fold', async () => {
    const bench = await createBench()
    const [url = ''] = await startPgbouncer([bench.database.processorUrl], 2)
    for (let processors = 0; processors < 4; processors += 1) await bench.startProcessor({ databaseUrl: url })
    const work = startBackgroundWork({ databaseUrl: url, registry: new Registry(), logger })
    onTestFinished(() => work.close())
    const clicks = Array.from({ length: 400 }, (_, index) => createClick({ target: `button-${index % 7}` }))
    for (let start = 0; start < clicks.length; start += 10) await bench.send(...clicks.slice(start, start + 10))
    // Again: they are known.
    for (let start = 0; start < clicks.length; start += 40) await bench.send(...clicks.slice(start, start + 40))
    await bench.untilProcessed()
    expect(await bench.tally()).toEqual({ stored: 400, counted: 400 })
    expect(await bench.balance()).toMatchObject({ counted: 400, duplicates: 400, inFlight: 0 })
    await vi.waitFor(async () => expect(await bench.ask('select from counter_deltas')).toEqual([]), patience)
    const connections = await bench.ask(
      `select from pg_stat_activity where datname = current_database() and usename = 'clicktally_processor'`,
    )
    expect(connections.length).toBeLessThanOrEqual(2)
    expect(connections.length).toBeGreaterThan(0)
  })

  test('a session has the settings of its role, and a statement that is given up ends at the server', async () => {
    const bench = await createBench()
    const [url = '', apiUrl = ''] = await startPgbouncer([bench.database.processorUrl, bench.database.apiUrl], 1)
    const poolOf = (each: string) => {
      const limits = { name: 'test', logger, maxConnections: 3, statementTimeoutMs: 1_000 }
      const pool = createPool({ ...limits, url: each, settings: { jit: 'on' } })
      onTestFinished(() => pool.end())
      return pool
    }
    const show = `select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock,
      current_setting('idle_in_transaction_session_timeout') as idle, current_setting('jit') as jit`
    const processor = poolOf(url)
    expect((await processor.query(show)).rows).toEqual([{ statement: '2min', lock: '5s', idle: '10s', jit: 'on' }])
    expect((await poolOf(apiUrl).query(show)).rows).toEqual([
      { statement: '1min', lock: '5s', idle: '10s', jit: 'off' },
    ])

    await expect(processor.query('select pg_sleep(3600)')).rejects.toThrow('Query read timeout')
    const sleeping = () =>
      bench.ask(`select from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'`)
    await vi.waitFor(async () => expect(await sleeping()).toEqual([]), patience)
    // The only connection is free again.
    await vi.waitFor(() => processor.query('select'), patience)
  })
})
