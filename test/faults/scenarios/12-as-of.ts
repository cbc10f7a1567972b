import { setTimeout as sleep } from 'node:timers/promises'
import { rabbitmqctl } from '@clicktally/local/servers/rabbitmq.ts'
import { checkAsOf } from '../as-of.ts'
import type { FaultSystem } from '../fault-system.ts'
import { insist } from '../insist.ts'
import { findFakeTime, withShiftedClock } from '../shifted-clock.ts'
import type { Scenario, Stage } from '../stage.ts'
import { withTableLocked } from '../table-lock.ts'

/** Cases in which asOf could pass clicks that are not counted. */
export const scenario: Scenario = {
  number: 12,
  title: 'a queue without a leader, and a database whose clock is set',
  async run(stage) {
    await withoutLeader(stage)
    const library = await findFakeTime()
    if (library === undefined) stage.note('The clock of the database was not set: libfaketime could not be had.')
    else for (const hours of [1, -1]) await withDatabaseClock(stage, library, hours)
  },
}

const queueServer = "{'%2F_clicks', node()}"

/** The queue contains accepted clicks, no consumer holds any, and the queue does not respond. */
async function withoutLeader(stage: Stage): Promise<void> {
  const { system } = stage
  const broker = system.program('rabbitmq')
  const usual = system.processors.map((name) => system.program(name))
  await stage.row('non-empty queue without a leader', async ({ broken, restored, recovered, load }) => {
    // Prefetches so few messages that the others stay in the queue.
    const small = await system.addProcessor({ variables: { PREFETCH: '2' } })
    await Promise.all(usual.map((program) => program.stop()))
    try {
      broken()
      await withTableLocked(stage, 'clicks', async () => {
        await sleep(2_000)
        await rabbitmqctl(broker, ['eval', `ra:stop_server(quorum_queues, ${queueServer}).`])
      })
      // The prefetched messages are counted now, but cannot be acknowledged.
      await sleep(stage.short ? 6_000 : 20_000)
    } finally {
      await restartQueue(system)
      await Promise.all(usual.map((program) => program.start()))
      restored()
    }
    await recovered()
    await small.remove()
    await checkAsOf(system, load)
  })
}

/** The supervisor may restart the broker at any moment, because a queue has had no leader for too long. */
async function restartQueue(system: FaultSystem): Promise<void> {
  await insist(async () => {
    await system.ready('rabbitmq')
    await rabbitmqctl(system.program('rabbitmq'), ['eval', `ra:restart_server(quorum_queues, ${queueServer}).`])
  })
}

/** The database's clock is set while it restarts, and set back in the same way. */
async function withDatabaseClock(stage: Stage, library: string, hours: number): Promise<void> {
  const { system } = stage
  const name = `database clock 1 h ${hours > 0 ? 'ahead' : 'behind'}, and set back`
  await stage.row(name, async ({ broken, restored, recovered, load }) => {
    broken()
    await withShiftedClock(system.program('postgres'), library, hours > 0 ? '+1h' : '-1h', async () => {
      const { rows } = await system.pool.query<{ now: Date }>('select clock_timestamp() as now')
      const shiftMs = (rows[0]?.now.getTime() ?? 0) - Date.now()
      if (Math.abs(shiftMs - hours * 3_600_000) > 60_000) throw new Error(`the clock is off by ${shiftMs} ms`)
      await checkAsOf(system, load)
      if (!stage.short) await sleep(60_000)
    })
    restored()
    await recovered()
    await checkAsOf(system, load)
  })
}
