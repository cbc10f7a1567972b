import { setTimeout as sleep } from 'node:timers/promises'
import { rabbitmqctl } from '@clicktally/local/rabbitmq.ts'
import { checkAsOf } from '../as-of.ts'
import type { Scenario } from '../stage.ts'
import { withTableLocked } from '../table-lock.ts'

/**
 * RabbitMQ takes back what is not acknowledged within its consumer_timeout, and counts that as a delivery. What is delivered
 * five times ends in the dead letters.
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
    // A channel keeps the limit that it was opened with.
    const restart = async () => {
      for (const program of programs) {
        await program.stop()
        await program.start()
      }
    }
    await set(scaledTimeoutMs, 1_000)
    try {
      await restart()
      await stage.row("locked for many of RabbitMQ's timeouts", async ({ broken, restored, recovered, load }) => {
        broken()
        await withTableLocked(stage, 'clicks', () => sleep(short ? 2 * scaledTimeoutMs : 7 * scaledTimeoutMs))
        restored()
        const { countedAgainMs } = await recovered()
        stage.promise('counting again after PostgreSQL is back', 10_000, countedAgainMs)
        await checkAsOf(system, load)
      })
    } finally {
      await set(usualTimeoutMs, 60_000)
      await restart()
    }
  },
}

/** Above the 15 s for which a processor holds messages, and a lock_timeout and a back-off more. */
const scaledTimeoutMs = 30_000
/** As local/rabbitmq.ts sets it. */
const usualTimeoutMs = 86_400_000
