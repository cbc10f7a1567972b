import { AcceptingRounds, type AcceptingRoundsOptions } from '../accepting-rounds.ts'
import { acceptingCpu, type TurnFigures } from '../accepting-turn.ts'
import type { Design } from '../design.ts'
import { startDesigns } from '../design-start.ts'
import {
  clicktally,
  designNames,
  fireAndForget,
  noBroker,
  perClickConfirm,
  redisCounter,
  synchronousInsert,
} from '../designs.ts'
import { samplesText } from '../figure-text.ts'
import { LoadGenerator } from '../load-generator.ts'
import type { BenchSystem, FigureTable, Measurement, Section, Stage } from '../measurement.ts'

export type DesignStart = (system: BenchSystem) => Design | Promise<Design>
export type AcceptingScale = Pick<
  AcceptingRoundsOptions,
  'loads' | 'rounds' | 'roundsUntilCounted' | 'measuredMs' | 'firstWarmUpMs' | 'warmUpMs'
>

const many = 256
const few = 64
const compared = [designNames.clicktally, designNames.noBroker, designNames.perClickConfirm]

const scales = {
  full: {
    loads: [{ connections: many }, { connections: few }],
    rounds: 11,
    roundsUntilCounted: 4,
    measuredMs: 1_000,
    firstWarmUpMs: 4_000,
    warmUpMs: 200,
  },
  // With few connections only those that a target is about.
  short: {
    loads: [{ connections: many }, { connections: few, designs: compared }],
    rounds: 3,
    roundsUntilCounted: 3,
    measuredMs: 800,
    firstWarmUpMs: 2_000,
    warmUpMs: 200,
  },
} as const satisfies Record<string, AcceptingScale>

/** Every design under full load, one click a request. */
export const accepting: Measurement = {
  name: 'accepting',
  title: 'accepting, one click a request',
  run: async (stage) => await measureAccepting(stage, stage.short ? scales.short : scales.full),
}

const columns = [
  { name: 'service + RabbitMQ', unit: 'CPU s/M', figure: acceptingCpu },
  { name: 'accepted', unit: 'clicks/s', figure: ({ perSecond }) => perSecond },
  { name: 'kept', unit: '% of them', figure: ({ keptShare }) => keptShare && keptShare * 100 },
  { name: 'service', unit: 'CPU s/M', figure: ({ service }) => service },
  { name: 'RabbitMQ', unit: 'CPU s/M', figure: ({ rabbitmq }) => rabbitmq },
  { name: 'PostgreSQL', unit: 'CPU s/M', figure: ({ postgres }) => postgres },
  { name: 'Redis', unit: 'CPU s/M', figure: ({ redis }) => redis },
  { name: 'wrk', unit: 'CPU s/M', figure: ({ generator }) => generator },
  { name: 'memory', unit: 'MB', figure: ({ memoryMb }) => memoryMb },
] as const satisfies readonly { name: string; unit: string; figure: (turn: TurnFigures) => number | undefined }[]

/** @param starts of Clicktally itself, and of those that it is compared with */
export async function measureAccepting(
  stage: Stage,
  scale: AcceptingScale,
  starts: readonly DesignStart[] = allDesigns(stage),
): Promise<Section> {
  stage.progress('the system starts', 0)
  const generator = await LoadGenerator.find(stage.signal)
  const system = await stage.system()
  const started = await startDesigns(starts.map((start) => () => start(system)))
  try {
    const { designs } = started
    const redisVersion = designs.map(({ brings }) => (brings === undefined ? '' : ` (${brings})`)).join('')
    const rounds = await AcceptingRounds.play({ stage, system, generator, designs, clicksPerRequest: 1, ...scale })
    return {
      title: 'Accepting, one click a request',
      about: [
        `Each design runs as one Node.js process with ingest's own HTTP side: the same parsing, checks and answers over
another way to keep the clicks, each a small program in [bench/peers](../bench/peers). ${await generator.version()} sends, one thread, no
pipelining, each connection waiting for its answer; its own CPU time is in the table. Each click is one of 2,000 prepared ones with an id
of its own. CPU is user and system time of a part and all its processes (from /proc/<pid>/stat), for a million accepted clicks. It is the
figure to compare: rates depend on what else the machine does, and on how many cores the sender leaves. Memory is what the service
holds at the end of a turn. What idles beside costs nothing.`,
        `No processor runs while a turn lasts, for Clicktally as little as for the others whose queues nobody reads: this is about
accepting. wrk stops sending at the end of its time and waits until each request is answered, so that the number of 202s is known to the
click. After some rounds, and at the end, Clicktally's clicks are counted by a processor, and after each turn the others' queues, tables and counters are
asked: what was kept must be what was answered.`,
        `*${designNames.perClickConfirm}*: one persistent, mandatory message and one confirm for each click, into a quorum queue like
Clicktally's, confirms as they come. *${designNames.fireAndForget}*: the same message without a confirm, answered when it is handed to the
socket: whatever breaks afterwards, the broker, the connection or the process, takes clicks with it. *${designNames.synchronousInsert}*: one statement
inserts the click and raises its counter, prepared, 20 connections, answered after the commit. *${designNames.redisCounter}*: HINCRBY into
a Redis${redisVersion} that writes to disk once a second, and a flush into PostgreSQL each second; it keeps no clicks and counts a repeated one twice.
Those that need a click's fields parse it a second time, a few microseconds.`,
        ...started.missing.map((reason) => `Left out: ${reason}`),
      ],
      tables: scale.loads.map(({ connections }) => tableOf(rounds, connections, designs)),
      verdicts: verdictsOf(rounds),
      voided: rounds.voided,
      plot: {
        title: 'What accepting a click costs, one a request',
        unit: `CPU seconds for a million clicks, ${many} connections`,
        bars: designs.map(({ name, own = false }) => ({
          name,
          own,
          samples: rounds.figures(name, many, allCpu),
        })),
      },
    }
  } finally {
    await started.stop()
  }
}

function tableOf(rounds: AcceptingRounds, connections: number, designs: readonly Design[]): FigureTable {
  return {
    caption: `${connections} connections`,
    of: 'design',
    columns: columns.map(({ name, unit }) => ({ name, unit })),
    rows: designs.flatMap(
      ({ name }) =>
        rounds.row(
          name,
          connections,
          columns.map(({ figure }) => figure),
        ) ?? [],
    ),
  }
}

function verdictsOf(rounds: AcceptingRounds): Section['verdicts'] {
  const { clicktally: own, noBroker: limit, perClickConfirm: confirm, synchronousInsert: insert } = designNames
  // As far as HTTP lets anyone get: the same route, with nothing behind it.
  const best = (other: string, figure?: (turn: TurnFigures) => number) => ({
    samples: rounds.ratios(own, other, many, figure),
    note: `the same route with no broker behind it, all of it HTTP and checks, comes to ${samplesText(rounds.ratios(limit, other, many, figure))} ×`,
  })
  return [
    { target: 'cpu256', samples: rounds.ratios(own, limit, many, acceptingCpu) },
    { target: 'cpu64', samples: rounds.ratios(own, limit, few, acceptingCpu) },
    { target: 'accepting256', samples: rounds.ratios(own, limit, many) },
    { target: 'accepting64', samples: rounds.ratios(own, limit, few) },
    { target: 'acceptingPerClickConfirm', ...best(confirm) },
    { target: 'cpuPerClickConfirm', ...best(confirm, acceptingCpu) },
    { target: 'acceptingSynchronousInsert', ...best(insert) },
  ]
}

/** Of every part that works for a design, which is what they can be compared by. */
function allCpu({ service, rabbitmq = 0, postgres = 0, redis = 0 }: TurnFigures): number {
  return service + rabbitmq + postgres + redis
}

function allDesigns(stage: Stage): DesignStart[] {
  return [
    (system) => clicktally(system),
    () => noBroker(stage),
    (system) => perClickConfirm(system, stage),
    (system) => fireAndForget(system, stage),
    (system) => synchronousInsert(system, stage),
    (system) => redisCounter(system, stage),
  ]
}
