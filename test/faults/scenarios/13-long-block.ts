import { setTimeout as sleep } from 'node:timers/promises'
import { rabbitmqctl } from '@clicktally/local/servers/rabbitmq.ts'
import { checkAsOf } from '../as-of.ts'
import type { Scenario } from '../stage.ts'
import { withTableLocked } from '../table-lock.ts'

/**
 * RabbitMQ requeues messages that are not acknowledged within its consumer_timeout, and counts that as a delivery. A message
 * delivered eight times is dead-lettered.
 */
export const scenario: Scenario = {
  number: 13,
  title: "a database that is locked for longer than RabbitMQ's consumer timeout",
  async run(stage) {
    const { system, short } = stage
    const broker = system.program('rabbitmq')
    const programs = system.processors.map((name) => system.program(name))
    const set = (timeoutMs: number, tickMs: number) =>
      rabbitmqctl(broker, [
        'eval',
        `application:set_env(rabbit, consumer_timeout, ${timeoutMs}), application:set_env(rabbit, channel_tick_interval, ${tickMs}).`,
      ])
    // A channel keeps the timeout that it was opened with.
    const restart = async () => {
      for (const program of programs) {
        await program.stop()
        await program.start()
      }
    }
    await set(scaledTimeoutMs, 1_000)
    try {
      await restart()
      await stage.row('table locked past consumer_timeout', async ({ broken, restored, recovered, load }) => {
        broken()
        await withTableLocked(stage, 'clicks', () => sleep(short ? 2 * scaledTimeoutMs : 7 * scaledTimeoutMs))
        restored()
        const { countedAgainMs } = await recovered()
        stage.promise('counting resumes after PostgreSQL is back', 10_000, countedAgainMs)
        await checkAsOf(system, load)
      })
    } finally {
      await set(usualTimeoutMs, 60_000)
      await restart()
    }
  },
}

/** Longer than a processor holds messages (15 s) plus a lock_timeout and a back-off. */
const scaledTimeoutMs = 30_000
/** As local/servers/rabbitmq.ts sets it. */
const usualTimeoutMs = 86_400_000
