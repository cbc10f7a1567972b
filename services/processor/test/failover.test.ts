import { type Balance, readBalance } from '@clicktally/database/balance.ts'
import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { createPostgresPair, type PairServer } from '@clicktally/testing/postgres-pair.ts'
import { pino } from 'pino'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createBench, createClick } from './processor-under-test.ts'

/** A processor over a primary and its standby, and clicks. */
async function createFailover() {
  const bench = await createBench()
  const pair = await createPostgresPair()
  const look = (server: PairServer) => {
    const url = server.urlAs('owner')
    const limits = { name: 'test', logger: pino({ level: 'silent' }), maxConnections: 2, statementTimeoutMs: 10_000 }
    const pool = createPool({ ...limits, url })
    onTestFinished(() => pool.end())
    const until = (condition: string) =>
      vi.waitFor(async () => expect((await pool.query(condition)).rows).toEqual([{ holds: true }]), patience)
    const stored = async () => (await pool.query<{ ids: number }>('select count(*) as ids from clicks')).rows[0]?.ids
    return {
      balance: (): Promise<Balance> => readBalance(createDatabase(pool)),
      fold: () => pool.query(`select fold_ledger('0')`),
      untilStored: (clicks: number) => vi.waitFor(async () => expect(await stored()).toBe(clicks), patience),
      untilDisconnected: () => until('select count(*) = 0 as holds from pg_stat_replication'),
      endWaitingCommits: (end: string) =>
        pool.query(`select ${end}(pid) from pg_stat_activity where wait_event = 'SyncRep'`),
      untilCommitWaits: () => until(`select count(*) > 0 as holds from pg_stat_activity where wait_event = 'SyncRep'`),
    }
  }
  await bench.startProcessor({ databaseUrl: pair.urlAs('processor') })
  return {
    ...{ bench, pair, primary: look(pair.primary), standby: look(pair.standby) },
    send: (clicks: number) => bench.send(...Array.from({ length: clicks }, () => createClick())),
  }
}

// Kept to show what is at stake: `doctor`, a metric and an alert refuse to call such a standby safe.
test('an asynchronous standby that is promoted lacks clicks that were counted, and the balance says how many', async () => {
  const { bench, pair, primary, standby, send } = await createFailover()
  await send(5)
  await standby.untilStored(5)
  await pair.disconnect()
  await primary.untilDisconnected()
  await send(7)
  await primary.untilStored(12)
  await bench.untilProcessed()

  await pair.primary.kill()
  await pair.promote()
  await send(3)
  await standby.untilStored(8)
  await bench.untilProcessed()
  // The message that was counted last reports those before it.
  await send(1)
  await standby.untilStored(9)
  expect(await standby.balance()).toMatchObject({ accepted: 16, counted: 9, inFlight: 7 })
  await standby.fold()
  expect(await standby.balance()).toMatchObject({ accepted: 16, counted: 9, overdue: 7 })
})

test.for([
  ['is left alone', undefined],
  ['is terminated', 'pg_terminate_backend'],
  ['is cancelled', 'pg_cancel_backend'],
] as const)('a synchronous standby that is promoted lacks none, if a commit that waits for it %s', async ([, end]) => {
  const { pair, primary, standby, send } = await createFailover()
  await pair.synchronize()
  await send(5)
  await standby.untilStored(5)
  await pair.disconnect()
  await primary.untilDisconnected()
  await send(7)
  // Its commit waits for the standby, and so does its acknowledgement.
  await primary.untilCommitWaits()
  if (end !== undefined) {
    // The clicks are then visible in the primary, and the processor tries again.
    await primary.endWaitingCommits(end)
    await primary.untilStored(12)
    await primary.untilCommitWaits()
  }

  await pair.primary.kill()
  await pair.promote()
  await send(3)
  await standby.untilStored(15)
  await standby.fold()
  expect(await standby.balance()).toMatchObject({ accepted: 15, counted: 15, inFlight: 0, overdue: 0 })
})
