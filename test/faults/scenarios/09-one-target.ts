import { settle } from '@clicktally/database/settling.ts'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import type { SentClick } from '@clicktally/load/click-load.ts'
import { patience } from '@clicktally/testing/patience.ts'
import type { FaultSystem } from '../fault-system.ts'
import type { Breaking, Scenario, Stage } from '../stage.ts'

const clicksPerBatch = 500
const sendersAtOnce = 8

export const scenario: Scenario = {
  number: 9,
  title: 'all clicks on one target, eight processors',
  async run(stage) {
    const { system, short } = stage
    const processors = short ? 4 : 8
    const added = await Promise.all(
      Array.from({ length: processors - system.processors.length }, () => system.addProcessor()),
    )
    const clicks = short ? 5_000 : 100_000
    const speeds = { one: [] as number[], many: [] as number[] }
    try {
      await stage.row(
        `all clicks on one target, ${processors} processors`,
        async (breaking) => {
          // The queue is filled without the load, so that nothing else is written.
          await breaking.load.pause()
          const deadlocks = await readDeadlocks(system)
          const many = Array.from({ length: 1_000 }, (_, index) => `many-${index}`)
          for (let round = 0; round < (short ? 1 : 3); round += 1) {
            speeds.one.push(await drain(stage, breaking, ['one'], clicks))
            speeds.many.push(await drain(stage, breaking, many, clicks))
          }
          breaking.load.resume()
          const more = (await readDeadlocks(system)) - deadlocks
          if (more > 0) throw new Error(`${more} deadlocks`)
        },
        { load: { targets: ['one'] } },
      )
    } finally {
      await Promise.all(added.map((each) => each.remove()))
    }
    const list = (values: number[]) => values.map((value) => Math.round(value).toLocaleString('en-US')).join(', ')
    stage.note(
      `${processors} processors drained queues of ${clicks.toLocaleString('en-US')} clicks: on one target at ` +
        `${list(speeds.one)} clicks/s, on 1,000 targets at ${list(speeds.many)} clicks/s.`,
    )
  },
}

/** Fills the queue while the processors cannot reach the database, lets them drain it, and returns the clicks per second. */
async function drain(stage: Stage, { load }: Breaking, targets: string[], clicks: number): Promise<number> {
  const { system } = stage
  const link = system.links.processorToDatabase
  await settle(system, patience.timeout)
  stage.setStatus(`filling the queue with ${clicks.toLocaleString('en-US')} clicks on ${targets.length} targets`)
  let since: Date
  link.silence('toServer')
  try {
    await fill(clicks, targets, async (batch) => {
      if (!(await load.send(batch))) throw new Error('a batch was not accepted')
    })
  } finally {
    since = new Date()
    link.resume()
  }
  stage.setStatus(`the processors drain the queue of clicks on ${targets.length} targets`)
  await settle(system, patience.timeout)
  return await speedSince(system, since)
}

async function fill(clicks: number, targets: string[], send: (batch: SentClick[]) => Promise<void>): Promise<void> {
  let made = 0
  const sender = async () => {
    while (made < clicks) {
      const batch = Array.from({ length: clicksPerBatch }, () => {
        made += 1
        return { id: randomUuidV7(Date.now()), target: targets[made % targets.length] ?? '' }
      })
      await send(batch)
    }
  }
  await Promise.all(Array.from({ length: sendersAtOnce }, sender))
}

/** From the ledger, which has the time of each message's transaction. The database's clock is this machine's clock. */
async function speedSince({ pool }: FaultSystem, since: Date): Promise<number> {
  const { rows } = await pool.query<{ speed: number }>(
    `select sum(clicks) / extract(epoch from max(written_at) - $1)::float8 as speed from messages where written_at >= $1`,
    [since],
  )
  return rows[0]?.speed ?? Number.NaN
}

async function readDeadlocks({ pool }: FaultSystem): Promise<number> {
  const { rows } = await pool.query<{ deadlocks: number }>(
    'select deadlocks from pg_stat_database where datname = current_database()',
  )
  return rows[0]?.deadlocks ?? 0
}
