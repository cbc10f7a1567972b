import { setTimeout as sleep } from 'node:timers/promises'
import type { Breaking, Scenario, Stage } from '../stage.ts'

export const scenario: Scenario = {
  number: 4,
  title: 'PostgreSQL restarted, killed, stopped; backends terminated, tables locked',
  async run(stage) {
    const { short } = stage
    await stage.row('PostgreSQL restarted (fast)', (breaking) => restart(stage, breaking, short ? 1 : 5, 0))
    await stage.row('PostgreSQL: SIGKILL', (breaking) => kill(stage, breaking, short ? 1 : 5))
    if (!short) await stage.row('PostgreSQL stopped for 2 minutes', (breaking) => restart(stage, breaking, 1, 120_000))
    await stage.row('backends terminated every 200 ms', (breaking) =>
      terminate(stage, breaking, short ? 2_000 : 20_000),
    )
    // Longer than the lock_timeout of 5 s; in the long form also longer than the statement_timeout of 10 s.
    const lockedForMs = short ? 6_000 : 15_000
    for (const table of short ? ['counter_deltas'] : ['clicks', 'counter_deltas']) {
      await stage.row(`table ${table} locked`, (breaking) => lock(stage, breaking, table, lockedForMs))
    }
  },
}

async function restart(stage: Stage, breaking: Breaking, times: number, stoppedForMs: number): Promise<void> {
  const database = stage.system.program('postgres')
  for (let round = 0; round < times; round += 1) {
    breaking.broken()
    await database.stop()
    await sleep(stoppedForMs)
    await database.start()
    breaking.restored()
    await countingAgain(stage, breaking)
  }
}

async function kill(stage: Stage, breaking: Breaking, times: number): Promise<void> {
  for (let round = 0; round < times; round += 1) {
    breaking.broken()
    await stage.system.kill('postgres')
    breaking.restored()
    await countingAgain(stage, breaking)
  }
}

async function terminate(stage: Stage, breaking: Breaking, forMs: number): Promise<void> {
  breaking.broken()
  const endAtMs = performance.now() + forMs
  while (performance.now() < endAtMs) {
    await stage.system.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'clicktally_processor'`,
    )
    await sleep(200)
  }
  breaking.restored()
  await countingAgain(stage, breaking)
}

async function lock(stage: Stage, breaking: Breaking, table: string, forMs: number): Promise<void> {
  const client = await stage.system.pool.connect()
  try {
    await client.query('begin')
    // Otherwise the server would close this connection, which would release the lock.
    await client.query('set local idle_in_transaction_session_timeout = 0')
    await client.query(`lock table ${table} in access exclusive mode`)
    breaking.broken()
    await sleep(forMs)
    await client.query('rollback')
    breaking.restored()
  } finally {
    client.release(true)
  }
  await countingAgain(stage, breaking)
}

async function countingAgain(stage: Stage, breaking: Breaking): Promise<void> {
  const { countedAgainMs } = await breaking.recovered()
  stage.promise('counting resumes after PostgreSQL is back', 10_000, countedAgainMs)
}
