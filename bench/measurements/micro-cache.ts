import { LoadGenerator } from '../load-generator.ts'
import type { BenchSystem, Measurement, Section, Stage, SystemPart } from '../measurement.ts'
import { cpuSeconds } from '../process-cpu.ts'
import { fillClicks } from '../queue-filling.ts'
import { makeClicks, messagesOf } from '../queue-messages.ts'
import { pairedRatios } from '../samples.ts'

const path = '/v1/counts?target=/'
const connections = 64
const atLeastStored = 10_000
const hourMs = 3_600_000
const warmUpMs = 500
const parts = ['nginx', 'api', 'postgres'] as const satisfies SystemPart[]

const ways = [
  { name: "through nginx's cache", url: ({ baseUrl }: BenchSystem) => baseUrl },
  { name: 'straight at the api', url: ({ apiUrl }: BenchSystem) => apiUrl },
] as const
type Way = (typeof ways)[number]

interface Turn {
  readonly perSecond: number
  readonly cores: readonly number[]
}

/** Many who ask the same at once. */
export const microCache: Measurement = {
  name: 'micro-cache',
  title: 'the same question by many at once',
  run: measureMicroCache,
}

async function measureMicroCache(stage: Stage): Promise<Section> {
  const system = await stage.system()
  const generator = await LoadGenerator.find(stage.signal)
  await ensureClicks(system, stage.signal)
  const { stored } = await system.counted()
  const turns = new Map<Way, Turn[]>(ways.map((way) => [way, []]))
  let failed = 0
  for (let round = 0; round < stage.rounds; round += 1) {
    for (const [place, way] of (round % 2 === 0 ? ways : ways.toReversed()).entries()) {
      stage.progress(way.name, (round + place / ways.length) / stage.rounds)
      const measuredMs = stage.short ? 1_500 : 4_000
      const cpuNow = () => parts.map((part) => cpuSeconds(system.processesOf(part)))
      const before = cpuNow()
      const startedAtMs = performance.now()
      const load = await generator.run({
        url: way.url(system),
        content: { kind: 'get', path },
        ...{ connections, warmUpMs, measuredMs, dir: stage.dir, signal: stage.signal },
      })
      const seconds = (performance.now() - startedAtMs) / 1_000
      const cores = cpuNow().map((each, index) => (each - (before[index] ?? 0)) / seconds)
      failed += load.failed + load.unanswered
      turns.get(way)?.push({ perSecond: load.perSecond, cores })
    }
  }
  return sectionOf(turns, stored, failed)
}

async function ensureClicks(system: BenchSystem, signal: AbortSignal): Promise<void> {
  await system.setProcessors(1)
  await system.untilCounted()
  if ((await system.counted()).stored >= atLeastStored) return
  const nowMs = Date.now()
  const clicks = makeClicks({ clicks: 2 * atLeastStored, seed: 10, fromMs: nowMs - hourMs, toMs: nowMs })
  await fillClicks(messagesOf(clicks), { amqpUrl: system.amqpUrl, signal })
  await system.untilCounted()
}

function sectionOf(turns: ReadonlyMap<Way, readonly Turn[]>, stored: number, failed: number): Section {
  const speeds = (way: Way) => turns.get(way)?.map(({ perSecond }) => perSecond) ?? []
  const [cached, direct] = ways
  const voided = failed > 0 ? [`${failed} questions were not answered with 200`] : []
  return {
    title: 'The same question by many',
    about: [
      `${connections} connections ask GET ${path} again and again, of a database with ${stored.toLocaleString('en-US')} clicks: through nginx, which keeps an answer for ` +
        'the second for which the api calls it fresh, and straight at the api, in turn.',
    ],
    tables: [
      {
        of: 'asked',
        columns: [{ name: 'answered', unit: 'requests/s' }, ...parts.map((part) => ({ name: part, unit: 'cores' }))],
        rows: ways.map((way) => ({
          name: way.name,
          cells: [
            speeds(way),
            ...parts.map((_, index) => turns.get(way)?.map(({ cores }) => cores[index] ?? Number.NaN)),
          ],
        })),
      },
    ],
    verdicts: [{ target: 'microCache', samples: pairedRatios(speeds(cached), speeds(direct)) }],
    voided,
  }
}
