import { ClickOracle } from '../click-oracle.ts'
import type { Design } from '../design.ts'
import { startDesigns } from '../design-start.ts'
import { warmUp } from '../design-warm-up.ts'
import { clicktally, designNames, noBroker, perClickConfirm, synchronousInsert } from '../designs.ts'
import { LoadGenerator } from '../load-generator.ts'
import type { FigureRow, Measurement, Section, Stage } from '../measurement.ts'
import { type PacedTurn, playPacedTurn } from '../paced-turn.ts'
import { pairedRatios, percentile } from '../samples.ts'

const connections = 128
const scales = { full: { turnMs: 3_000, warmUpMs: 3_000 }, short: { turnMs: 1_000, warmUpMs: 1_000 } } as const
type Scale = { readonly turnMs: number; readonly warmUpMs: number }

/** How long clicks take that come at a constant rate, from the request to the 202. */
export const acceptingLatency: Measurement = {
  name: 'accepting-latency',
  title: 'request to 202 at a constant rate',
  run: async (stage) => await measureLatency(stage, stage.short ? scales.short : scales.full),
}

const columns = [
  { name: 'p50', unit: 'ms', figure: ({ latenciesMs }) => percentile(latenciesMs, 0.5) },
  { name: 'p99', unit: 'ms', figure: ({ latenciesMs }) => percentile(latenciesMs, 0.99) },
  { name: 'p99.9', unit: 'ms', figure: ({ latenciesMs }) => percentile(latenciesMs, 0.999) },
  { name: 'sender late, p99', unit: 'ms', figure: ({ latenessMs }) => percentile(latenessMs, 0.99) },
] as const satisfies readonly { name: string; unit: string; figure: (turn: PacedTurn) => number }[]

async function measureLatency(stage: Stage, scale: Scale): Promise<Section> {
  stage.progress('the system starts', 0)
  const generator = await LoadGenerator.find(stage.signal)
  const system = await stage.system()
  const started = await startDesigns([
    () => clicktally(system),
    () => noBroker(stage),
    () => perClickConfirm(system, stage),
    () => synchronousInsert(system, stage),
  ])
  try {
    const { designs } = started
    const oracle = await ClickOracle.begin(system)
    stage.progress('all get warm', 0)
    const reached = await warmUp(designs, { generator, oracle, durationMs: scale.warmUpMs, stage })
    const halfOf = (name: string) => {
      const design = designs.find((each) => each.name === name)
      return Math.max(1, Math.round(((design && reached.get(design)?.perSecond) ?? 0) / 2))
    }
    const rate = halfOf(designNames.perClickConfirm)
    const rateOfInsert = halfOf(designNames.synchronousInsert)
    const rateOf = ({ name }: Design) => (name === designNames.synchronousInsert ? rateOfInsert : rate)
    const turns = new Map<Design, PacedTurn[]>(designs.map((design) => [design, []]))
    const voided = new Map<string, string>()
    for (let round = 0; round < stage.rounds; round++) {
      const first = round % designs.length
      for (const [place, design] of [...designs.slice(first), ...designs.slice(0, first)].entries()) {
        stage.progress(`${design.name}, round ${round + 1}`, (round + place / designs.length) / stage.rounds)
        const turn = await playPacedTurn(design, {
          requestsPerSecond: rateOf(design),
          durationMs: scale.turnMs,
          connections,
          seed: round + 1,
          signal: stage.signal,
        })
        turns.get(design)?.push(turn)
        if (design.own) oracle.add(turn.acceptedIds.length, turn.sentClicks)
        if (turn.voided !== undefined) voided.set(design.name, turn.voided)
      }
    }
    const wrong = await oracle.ask()
    if (wrong !== undefined) voided.set(designNames.clicktally, wrong)
    return {
      title: 'Request to 202 at a constant rate',
      about: [
        `Clicks come at a constant rate, whether or not answers do: each has its moment, and its latency counts from there, so that a
pause delays all clicks that fall into it (no coordinated omission). ${rate.toLocaleString('en-US')} clicks/s, half of what *${
          designNames.perClickConfirm
        }* reached just before with 64 connections; *${designNames.synchronousInsert}* gets half of what it reached itself, ${rateOfInsert.toLocaleString('en-US')} clicks/s. Up to ${connections} connections. The sender is a Node.js process on the same cores; how late
it came itself is in each latency, and in the last column.`,
      ],
      tables: [
        {
          of: 'request to 202',
          columns: columns.map(({ name, unit }) => ({ name, unit })),
          rows: designs.map((design) => rowOf(design, turns.get(design) ?? [], voided.get(design.name))),
        },
      ],
      verdicts: verdictsOf(designs, turns),
      voided: [...voided.values()],
    }
  } finally {
    await started.stop()
  }
}

/** Against one message and one confirm a click, at the same rate, round by round. */
function verdictsOf(designs: readonly Design[], turns: ReadonlyMap<Design, readonly PacedTurn[]>): Section['verdicts'] {
  const of = (name: string, share: number) =>
    designs
      .filter((design) => design.name === name)
      .flatMap((design) => (turns.get(design) ?? []).map(({ latenciesMs }) => percentile(latenciesMs, share)))
  const ratios = (share: number) =>
    pairedRatios(of(designNames.clicktally, share), of(designNames.perClickConfirm, share))
  return [
    { target: 'latencyP50', samples: ratios(0.5) },
    { target: 'latencyP99', samples: ratios(0.99) },
    { target: 'latencyP999', samples: ratios(0.999) },
  ]
}

function rowOf({ name }: Design, turns: readonly PacedTurn[], voided: string | undefined): FigureRow {
  return { name, cells: columns.map(({ figure }) => turns.map(figure)), ...(voided !== undefined && { voided }) }
}
