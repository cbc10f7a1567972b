import type { PacedResult } from '@clicktally/load/paced-sender.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import { Contest } from '../accepting/contest.ts'
import {
  clicktally,
  type Design,
  designNames,
  noBroker,
  perClickConfirm,
  synchronousInsert,
} from '../accepting/designs.ts'
import type { Measurement, Section, Stage } from '../measurement.ts'
import { tableOfTurns } from '../report/figure-table.ts'
import { percentile } from '../report/samples.ts'
import { Turns } from '../report/turns.ts'

type Latencies = Pick<PacedResult, 'latenciesMs'>

const p50 = { name: 'p50', unit: 'ms', figure: ({ latenciesMs }: Latencies) => percentile(latenciesMs, 0.5) }
const p99 = { name: 'p99', unit: 'ms', figure: ({ latenciesMs }: Latencies) => percentile(latenciesMs, 0.99) }
const p999 = { name: 'p99.9', unit: 'ms', figure: ({ latenciesMs }: Latencies) => percentile(latenciesMs, 0.999) }
const lateness = {
  ...{ name: 'sender late, p99', unit: 'ms' },
  figure: ({ latenessMs }: PacedResult) => percentile(latenessMs, 0.99),
}
const { clicktally: own, perClickConfirm: confirm } = designNames

const loneClicksPerSecond = 20
const sliceMs = 1_000
const connections = 128

/** Latency of single clicks on an idle system. */
export const loneClick: Measurement = {
  name: 'lone-click',
  title: 'a lone click on an idle system',
  run: measureLoneClick,
}

/** Latency at a constant rate. */
export const acceptingLatency: Measurement = {
  name: 'accepting-latency',
  title: 'request to 202 at a constant rate',
  run: measureConstantRate,
}

async function measureLoneClick(stage: Stage): Promise<Section> {
  const { slices, warmUpMs } = stage.short ? { slices: 2, warmUpMs: 1_500 } : { slices: 5, warmUpMs: 3_000 }
  return await Contest.hold(stage, [clicktally, perClickConfirm], async (contest) => {
    stage.progress('warming up', 0)
    await contest.warmUp(warmUpMs)
    // Empties the queue: the system is to be idle.
    await contest.checkCounted()
    const turns = new Turns<Latencies>()
    for (let round = 0; round < stage.rounds; round += 1) {
      stage.progress(`round ${round + 1}`, round / stage.rounds)
      const latencies = new Map<Design, number[]>(contest.designs.map((design) => [design, []]))
      for (let slice = 0; slice < slices; slice += 1) {
        for (const design of contest.orderOf(round + slice)) {
          const options = { durationMs: sliceMs, connections: 1, seed: round + 1 }
          const turn = await contest.pacedTurn(design, { requestsPerSecond: loneClicksPerSecond, ...options })
          latencies.get(design)?.push(...turn.latenciesMs)
        }
      }
      for (const [{ name }, samples] of latencies) turns.add(name, { latenciesMs: Float64Array.from(samples).sort() })
    }
    await contest.checkCounted()
    return {
      title: 'A lone click',
      about: [
        `${loneClicksPerSecond} clicks/s over one connection, on a system that is otherwise idle: grouping must not delay a click that
arrives alone. The latency counts from the scheduled time of the click to the end of the response. Clicktally and *${confirm}* take turns of one
second, ${slices} each per round. Both were at full load before, so that their code is compiled.`,
      ],
      tables: [tableOfTurns('request to 202', [p50, p99], contest.rowsOf(turns))],
      verdicts: [{ target: 'loneClick', samples: turns.ratios(own, confirm, p50.figure) }],
      voided: [...contest.voided.values()],
    }
  })
}

async function measureConstantRate(stage: Stage): Promise<Section> {
  const durationMs = stage.short ? 1_000 : 3_000
  const starts = [clicktally, noBroker, perClickConfirm, synchronousInsert]
  return await Contest.hold(stage, starts, async (contest) => {
    stage.progress('warming up', 0)
    const reached = await contest.warmUp(durationMs)
    const halfOf = (name: string) => {
      const design = contest.designs.find((each) => each.name === name)
      return Math.max(1, Math.round(((design && reached.get(design)) ?? 0) / 2))
    }
    const insert = designNames.synchronousInsert
    const [rate, insertRate] = [halfOf(confirm), halfOf(insert)]
    const turns = new Turns<PacedResult>()
    for (let round = 0; round < stage.rounds; round += 1) {
      for (const [index, design] of contest.orderOf(round).entries()) {
        const { name } = design
        stage.progress(`${name}, round ${round + 1}`, (round + index / starts.length) / stage.rounds)
        const requestsPerSecond = name === insert ? insertRate : rate
        const options = { requestsPerSecond, durationMs, connections, seed: round + 1 }
        turns.add(name, await contest.pacedTurn(design, options))
      }
    }
    await contest.checkCounted()
    return {
      title: 'Request to 202 at a constant rate',
      about: [
        `Clicks are sent at a constant rate, whether or not responses arrive. The latency counts from the scheduled time, so a pause
delays every click that falls into it (no coordinated omission). The rate is ${formatCount(rate)} clicks/s, half of what *${confirm}* reached
with 64 connections just before; *${insert}* gets half of what it reached itself, ${formatCount(insertRate)} clicks/s. There are up to
${connections} connections. The sender is a Node.js process on the same cores; how late it was itself is included in the latencies and shown in the
last column.`,
      ],
      tables: [tableOfTurns('request to 202', [p50, p99, p999, lateness], contest.rowsOf(turns))],
      verdicts: [
        { target: 'latencyP50', samples: turns.ratios(own, confirm, p50.figure) },
        { target: 'latencyP99', samples: turns.ratios(own, confirm, p99.figure) },
        { target: 'latencyP999', samples: turns.ratios(own, confirm, p999.figure) },
      ],
      voided: [...contest.voided.values()],
    }
  })
}
