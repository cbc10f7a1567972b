import { setTimeout as sleep } from 'node:timers/promises'
import { ManagementError } from '@clicktally/broker/management.ts'
import { topology } from '@clicktally/broker/topology.ts'
import type { ClickLoad } from '@clicktally/load/click-load.ts'
import { MemoryPeak } from '@clicktally/processes/resident-memory.ts'
import { until } from '@clicktally/testing/until.ts'
import { type Alarm, raiseAlarm } from '../broker-alarms.ts'
import type { Breaking, Scenario, Stage } from '../stage.ts'

/** While the broker rejects messages, ingest responds with 503, uses no more memory, and recovers without intervention. */
export const scenario: Scenario = {
  number: 6,
  title: 'alarms and limits of RabbitMQ',
  async run(stage) {
    await alarm(stage, 'memory')
    await alarm(stage, 'disk')
    await fullQueue(stage)
    await missingBinding(stage)
  },
}

/** Enough clients that ingest has clicks waiting for confirms. */
const manyClients = { connections: 64, clicksPerSecond: 600 }
/**
 * Ingest may hold 32 MiB of clicks, and V8 may keep about as much garbage. Clicks that accumulated during the whole fault would
 * take far more.
 */
const mayGrowBytes = 96 * 1024 * 1024

async function alarm(stage: Stage, kind: Alarm): Promise<void> {
  await refusingRow(stage, `RabbitMQ ${kind} alarm`, async ({ broken, restored, load }) => {
    const clearAlarm = await raiseAlarm(stage.system, kind)
    broken()
    try {
      await untilRefused(load)
      await sleep(stage.short ? 1_000 : 25_000)
    } finally {
      await clearAlarm()
      restored()
    }
  })
}

const fullQueueMs = 20_000

async function fullQueue(stage: Stage): Promise<void> {
  const { system } = stage
  const processors = system.processors.map((name) => system.program(name))
  await refusingRow(stage, 'queue at its maximum length', async ({ broken, restored, load }) => {
    await Promise.all(processors.map((program) => program.stop()))
    const allow = await shortenQueue(stage)
    try {
      await untilRefused(load)
      broken()
      await sleep(stage.short ? 1_000 : fullQueueMs)
    } finally {
      await Promise.all(processors.map((program) => program.start()))
      await allow()
      restored()
    }
  })
}

/** Number of messages, which the broker limits exactly, unlike their size. */
const shortLength = 50

/** Adds a policy with a higher priority than the regular one and the same settings except for the length. */
async function shortenQueue({ system }: Stage): Promise<() => Promise<void>> {
  const usual = (await system.manage('GET', `/policies/%2F/${topology.queue}`)) as Record<string, unknown>
  const path = '/policies/%2F/short'
  await system.manage('PUT', path, {
    pattern: usual.pattern,
    'apply-to': usual['apply-to'],
    priority: Number(usual.priority) + 1,
    definition: { ...(usual.definition as object), 'max-length': shortLength },
  })
  return async () => {
    await system.manage('DELETE', path)
  }
}

async function missingBinding(stage: Stage): Promise<void> {
  const { exchange, queue, routingKey } = topology
  const path = `/bindings/%2F/e/${exchange}/q/${queue}/${routingKey}`
  await refusingRow(stage, 'queue binding removed', async ({ broken, restored, recovered, load }) => {
    for (let count = 0; count < (stage.short ? 2 : 10); count += 1) {
      const refusal = untilRefused(load).then(() => true)
      broken()
      // A processor may declare the binding again before a click is returned as unroutable.
      do await stage.system.manage('DELETE', path).catch(isGone)
      while (!(await Promise.race([refusal, sleep(500, false)])))
      restored()
      await recovered()
    }
  })
}

/** Runs a row in which clicks must be rejected without a growing memory use of the ingests. */
async function refusingRow(stage: Stage, name: string, fault: (breaking: Breaking) => Promise<void>): Promise<void> {
  const ingests = stage.system.ingests.map((ingest) => stage.system.program(ingest))
  const measure = async (during: () => Promise<unknown>) => {
    const watch = new MemoryPeak(ingests)
    await during().finally(() => watch.stop())
    return await watch.stop()
  }
  const restMs = stage.short ? 500 : 5_000
  await stage.row(
    name,
    async (breaking) => {
      const before = await measure(() => sleep(restMs))
      const during = await measure(() => fault(breaking))
      await breaking.recovered()
      const after = await measure(() => sleep(restMs))
      const [beforeMb, duringMb, afterMb] = [before, during, after].map((bytes) => Math.round(bytes / 1024 ** 2))
      stage.note(
        `${name}: the larger ingest used at most ${beforeMb} MB before, ${duringMb} MB during and ${afterMb} MB after the fault.`,
      )
      const codes = Object.keys(breaking.load.answers).filter((answer) => !['202', '503'].includes(answer))
      if (codes.length > 0) throw new Error(`answered with ${codes.join(', ')} besides 202 and 503`)
      if (Math.max(during, after) - before > mayGrowBytes)
        throw new Error(`an ingest grew from ${beforeMb} MB to ${Math.max(duringMb ?? 0, afterMb ?? 0)} MB`)
    },
    { load: manyClients },
  )
}

/** Ignores that the binding is already missing. */
function isGone(error: unknown): void {
  if (!(error instanceof ManagementError && error.status === 404)) throw error
}

/** Resolves when another request is rejected. */
async function untilRefused(load: ClickLoad): Promise<void> {
  const refused = () => load.answers['503'] ?? 0
  const before = refused()
  await until(() => refused() > before, 'a click to be refused with 503')
}
