import { acceptingCpu, Contest, type LoadTurn } from '../accepting/contest.ts'
import {
  clicktally,
  type DesignStart,
  designNames,
  fireAndForget,
  noBroker,
  perClickConfirm,
  redisCounter,
  synchronousInsert,
  withoutKeys,
} from '../accepting/designs.ts'
import type { Measurement, Section, Stage } from '../measurement.ts'
import { type FigureColumn, tableOfTurns } from '../report/figure-table.ts'
import { samplesText } from '../report/samples.ts'
import { Turns } from '../report/turns.ts'

export interface AcceptingScale {
  readonly connections: readonly number[]
  /** Many short ones: the speed of a shared machine also changes within a long one. */
  readonly rounds: number
  /** Clicktally's clicks are counted after this many rounds, and at the end. */
  readonly roundsUntilCounted: number
  /** Sending time at the start of each turn that is not measured. */
  readonly rampUpMs: number
  readonly measuredMs: number
  /** Full load on each design before the first round. */
  readonly warmUpMs: number
}

const many = 256
const few = 64
const fewBatches = 16
const clicksPerBatch = 100
const full = { rounds: 11, roundsUntilCounted: 4, rampUpMs: 200, measuredMs: 1_000, warmUpMs: 4_000 }
const short = { rounds: 3, roundsUntilCounted: 3, rampUpMs: 200, measuredMs: 800, warmUpMs: 2_000 }

export const allDesigns = [
  clicktally,
  withoutKeys,
  noBroker,
  perClickConfirm,
  fireAndForget,
  synchronousInsert,
  redisCounter,
]
const unit = 'CPU s/M'
const columns = {
  cpu: { name: 'service + RabbitMQ', unit, figure: acceptingCpu },
  accepted: { name: 'accepted', unit: 'clicks/s', figure: ({ perSecond }) => perSecond },
  kept: { name: 'kept', unit: '%', figure: ({ keptShare }) => keptShare && keptShare * 100 },
  service: { name: 'service', unit, figure: ({ service }) => service },
  rabbitmq: { name: 'RabbitMQ', unit, figure: ({ rabbitmq }) => rabbitmq },
  postgres: { name: 'PostgreSQL', unit, figure: ({ postgres }) => postgres },
  redis: { name: 'Redis', unit, figure: ({ redis }) => redis },
  generator: { name: 'wrk', unit, figure: ({ generator }) => generator },
  memory: { name: 'memory', unit: 'MB', figure: ({ memoryMb }) => memoryMb },
} satisfies Record<string, FigureColumn<LoadTurn>>

/** Every design at full load, one click per request. */
export const accepting: Measurement = {
  name: 'accepting',
  title: 'accepting single clicks',
  run: async (stage) =>
    await measureSingle(stage, { ...(stage.short ? short : full), connections: [many, few] }, allDesigns),
}

/** Clicktally and the same route without a broker, a hundred clicks per request. */
export const acceptingBatches: Measurement = {
  name: 'accepting-batches',
  title: 'accepting batches of 100',
  run: async (stage) =>
    await measureBatches(stage, { ...(stage.short ? short : full), connections: [fewBatches, few] }),
}

export async function measureSingle(
  stage: Stage,
  scale: AcceptingScale,
  starts: readonly DesignStart[],
): Promise<Section> {
  return await Contest.hold(stage, starts, async (contest) => {
    const loads = await playRounds(stage, contest, scale, 1)
    const { clicktally: own, noBroker: limit, perClickConfirm: confirm, synchronousInsert: insert } = designNames
    const ratios = (other: string, connections: number, figure: (turn: LoadTurn) => number) =>
      loads.get(connections)?.ratios(own, other, figure) ?? []
    const rate = ({ perSecond }: LoadTurn) => perSecond
    // What remains when accepting costs nothing but HTTP and checks.
    const withLimit = (other: string, figure: (turn: LoadTurn) => number) => ({
      samples: ratios(other, many, figure),
      note: `the same route without a broker, which only parses, checks and responds, reaches ${samplesText(loads.get(many)?.ratios(limit, other, figure))} ×`,
    })
    const uses = contest.designs.map((design) => (design.uses === undefined ? '' : ` (${design.uses})`)).join('')
    return {
      title: 'Accepting single clicks',
      about: [
        `Each design runs as one Node.js process with the HTTP side of ingest: the same parsing, checks and responses, and a different way
to keep the clicks. The alternatives are small programs in [tools/bench/peers](../tools/bench/peers). ${await contest.generator.version()} sends the
clicks from one thread without pipelining, each with its own id. CPU is the user and system time of a process and its descendants (from
/proc/<pid>/stat) per million accepted clicks. It is the figure to compare, because rates depend on what else the machine does and on the CPU
that wrk leaves. Memory is the resident memory of the service at the end of a turn.`,
        `No processor runs during a turn, because this is about accepting. wrk stops sending at the end of its time and waits for all
responses, so the number of accepted clicks is known exactly. After some rounds and at the end, a processor counts Clicktally's clicks. After each
turn, the queues, tables and counters of the other designs are checked: they must have kept what they accepted.`,
        `Clicktally verifies a key with each request. *${designNames.withoutKeys}* is another ingest of the same
system, in open mode.`,
        `*${confirm}*: one persistent, mandatory message and one confirm per click, in a quorum queue like Clicktally's; many clicks
wait for confirms at the same time. *${designNames.fireAndForget}*: the same message without a confirm; the response is sent when the message is
written to the socket, so clicks are lost if the broker, the connection or the process fails after that. *${insert}*: one prepared statement
inserts the click and increments its counter, over 20 connections; the response is sent after the commit. *${designNames.redisCounter}*: HINCRBY
in Redis${uses}, which syncs to disk every second, and a flush to PostgreSQL every second; it keeps no clicks and counts a resent click twice.
Designs that need fields of the click parse it a second time, which takes a few microseconds.`,
        ...contest.missing.map((reason) => `Left out: ${reason}`),
      ],
      tables: tablesOf(contest, loads, Object.values(columns)),
      verdicts: [
        {
          target: 'keysCpu',
          samples: [many, few].flatMap((count) => ratios(designNames.withoutKeys, count, acceptingCpu)),
        },
        { target: 'cpu256', samples: ratios(limit, many, acceptingCpu) },
        { target: 'cpu64', samples: ratios(limit, few, acceptingCpu) },
        { target: 'accepting256', samples: ratios(limit, many, rate) },
        { target: 'accepting64', samples: ratios(limit, few, rate) },
        { target: 'acceptingPerClickConfirm', ...withLimit(confirm, rate) },
        { target: 'cpuPerClickConfirm', ...withLimit(confirm, acceptingCpu) },
        { target: 'acceptingSynchronousInsert', ...withLimit(insert, rate) },
      ],
      voided: [...contest.voided.values()],
      plot: {
        title: 'CPU per accepted click',
        unit: `CPU seconds per million single clicks, ${many} connections`,
        bars: contest.designs.map(({ name, own = false }) => ({
          ...{ name, own },
          samples: loads.get(many)?.figures(name, allCpu) ?? [],
        })),
      },
    }
  })
}

async function measureBatches(stage: Stage, scale: AcceptingScale): Promise<Section> {
  return await Contest.hold(stage, [clicktally, noBroker], async (contest) => {
    const loads = await playRounds(stage, contest, scale, clicksPerBatch)
    const turns = loads.get(fewBatches) ?? new Turns<LoadTurn>()
    const { clicktally: own, noBroker: limit } = designNames
    // The rate of the limit if RabbitMQ's CPU were the only addition to it.
    const withRabbitmq = turns.of(own).map(({ rabbitmq = Number.NaN }, round) => {
      const { service, generator } = turns.of(limit)[round] ?? { service: Number.NaN, generator: Number.NaN }
      return (service + generator) / (service + generator + rabbitmq)
    })
    const { cpu, accepted, service, rabbitmq, generator, memory } = columns
    return {
      title: 'Accepting batches of 100',
      about: [
        `\`POST /v1/events/batch\` with ${clicksPerBatch} clicks per request, and the same route without a broker: what it costs to parse, check and
answer a batch. Load, turns and checks are as above; no processor runs during a turn.`,
      ],
      tables: tablesOf(contest, loads, [cpu, accepted, service, rabbitmq, generator, memory]),
      verdicts: [
        { target: 'cpuBatches', samples: turns.ratios(own, limit, acceptingCpu) },
        {
          target: 'acceptingBatches',
          samples: turns.ratios(own, limit, ({ perSecond }) => perSecond),
          note: `with both cores busy, the CPU of RabbitMQ alone reduces the rate of the limit to ${samplesText(withRabbitmq)} ×`,
        },
      ],
      voided: [...contest.voided.values()],
    }
  })
}

/** Gives every design a turn with each number of connections in each round. Returns the turns by number of connections. */
async function playRounds(
  stage: Stage,
  contest: Contest,
  { connections, rounds, roundsUntilCounted, rampUpMs, measuredMs, warmUpMs }: AcceptingScale,
  clicksPerRequest: number,
): Promise<Map<number, Turns<LoadTurn>>> {
  const played = new Map(connections.map((count) => [count, new Turns<LoadTurn>()]))
  stage.progress('warming up', 0)
  await contest.warmUp(warmUpMs, clicksPerRequest)
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, [count, turns]] of [...played].entries()) {
      for (const design of contest.orderOf(round)) {
        stage.signal.throwIfAborted()
        stage.progress(
          `${design.name}, ${count} connections, round ${round + 1}`,
          (round + index / played.size) / rounds,
        )
        const options = { connections: count, warmUpMs: rampUpMs, measuredMs, clicksPerRequest, seed: round + 1 }
        turns.add(design.name, await contest.loadTurn(design, options))
      }
    }
    if ((round + 1) % roundsUntilCounted === 0 || round === rounds - 1) await contest.checkCounted()
  }
  return played
}

function tablesOf(
  contest: Contest,
  loads: ReadonlyMap<number, Turns<LoadTurn>>,
  shown: readonly FigureColumn<LoadTurn>[],
) {
  return [...loads].map(([connections, turns]) => ({
    caption: `${connections} connections`,
    ...tableOfTurns('design', shown, contest.rowsOf(turns)),
  }))
}

/** CPU of the service and of all servers behind it. */
function allCpu({ service, rabbitmq = 0, postgres = 0, redis = 0 }: LoadTurn): number {
  return service + rabbitmq + postgres + redis
}
