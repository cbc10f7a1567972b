import { setTimeout as sleep } from 'node:timers/promises'
import { rabbitmqctl } from '@clicktally/local/servers/rabbitmq.ts'
import { checkAsOf } from '../as-of.ts'
import type { Scenario, Stage } from '../stage.ts'
import { withTableLocked } from '../table-lock.ts'

/** Cases in which asOf could pass clicks that are not counted. */
export const scenario: Scenario = {
  number: 12,
  title: 'a queue without a leader',
  async run(stage) {
    await withoutLeader(stage)
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
      await rabbitmqctl(broker, ['eval', `ra:restart_server(quorum_queues, ${queueServer}).`])
      await Promise.all(usual.map((program) => program.start()))
      restored()
    }
    await recovered()
    await small.remove()
    await checkAsOf(system, load)
  })
}
