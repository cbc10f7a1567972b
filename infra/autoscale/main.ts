import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command, InvalidArgumentError } from 'commander'
import { ComposeProcessors } from './compose.ts'
import { ScalingPolicy } from './scaling-policy.ts'

const whole = (text: string) => {
  const value = Number(text)
  if (/^\d{1,7}$/.test(text) && value >= 1) return value
  throw new InvalidArgumentError('Expected a whole number from 1.')
}

const program = new Command('autoscale')
  .description('Starts and stops processors of docker compose by the backlog of the queue, until it is stopped.')
  .option('--dir <folder>', 'where docker-compose.yml is', join(import.meta.dirname, '../..'))
  .option('--min <processors>', 'never fewer', whole, 1)
  .option('--max <processors>', 'never more: as many as the database takes', whole, 4)
  .option('--messages <number>', 'a processor for each so many messages that wait', whole, 2_000)
  .option('--every <seconds>', 'time between two looks', whole, 10)
  .option('--calm <seconds>', 'how long fewer must be enough before one is stopped', whole, 300)
  .parse()
const { dir, min, max, messages, every, calm } = program.opts<{
  dir: string
  min: number
  max: number
  messages: number
  every: number
  calm: number
}>()
if (min > max) program.error('error: --min is above --max')

const processors = new ComposeProcessors(dir)
const policy = new ScalingPolicy({ min, max, messagesPerProcessor: messages, calmMs: calm * 1_000 })
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
while (!stop.signal.aborted) {
  try {
    const [current, ready] = await Promise.all([processors.count(), processors.readyMessages()])
    const wanted = policy.decide(current, ready, performance.now())
    if (wanted !== current) {
      console.log(
        `${new Date().toISOString()} ${ready ?? 'an unknown number of'} messages wait: ${current} → ${wanted} processors`,
      )
      await processors.scale(wanted)
    }
  } catch (error) {
    console.error(`${new Date().toISOString()} ${(error as Error).message}`)
  }
  await sleep(every * 1_000, undefined, { signal: stop.signal }).catch(() => {})
}
