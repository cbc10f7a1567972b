import { ClickOracle } from '../click-oracle.ts'
import type { Design } from '../design.ts'
import { startDesigns } from '../design-start.ts'
import { warmUp } from '../design-warm-up.ts'
import { clicktally, designNames, perClickConfirm } from '../designs.ts'
import { LoadGenerator } from '../load-generator.ts'
import type { Measurement, Section, Stage } from '../measurement.ts'
import { playPacedTurn } from '../paced-turn.ts'
import { pairedRatios, percentile } from '../samples.ts'

const clicksPerSecond = 20
const scales = {
  full: { slices: 5, sliceMs: 1_000, warmUpMs: 3_000 },
  short: { slices: 2, sliceMs: 1_000, warmUpMs: 1_500 },
} as const
type Scale = { readonly slices: number; readonly sliceMs: number; readonly warmUpMs: number }

/** How long a click takes that is alone on an idle system, from the request to the 202. */
export const loneClick: Measurement = {
  name: 'lone-click',
  title: 'a lone click on an idle system',
  run: async (stage) => await measureLoneClick(stage, stage.short ? scales.short : scales.full),
}

async function measureLoneClick(stage: Stage, scale: Scale): Promise<Section> {
  stage.progress('the system starts', 0)
  const generator = await LoadGenerator.find(stage.signal)
  const system = await stage.system()
  const started = await startDesigns([() => clicktally(system), () => perClickConfirm(system, stage)])
  try {
    const { designs } = started
    const oracle = await ClickOracle.begin(system)
    stage.progress('both get warm', 0)
    const voided: string[] = []
    const note = (reason: string | undefined) => {
      if (reason !== undefined) voided.push(reason)
    }
    await warmUp(designs, { generator, oracle, durationMs: scale.warmUpMs, stage })
    // Until here the clicks of the warm-up wait in the queue: an idle system has an empty one.
    note(await oracle.ask())
    const p50 = new Map<Design, number[]>()
    const p99 = new Map<Design, number[]>()
    for (let round = 0; round < stage.rounds; round++) {
      stage.progress(`round ${round + 1}`, round / stage.rounds)
      const latencies = new Map<Design, number[]>(designs.map((design) => [design, []]))
      for (let slice = 0; slice < scale.slices; slice++) {
        for (const design of (round + slice) % 2 === 0 ? designs : designs.toReversed()) {
          const turn = await playPacedTurn(design, {
            requestsPerSecond: clicksPerSecond,
            durationMs: scale.sliceMs,
            connections: 1,
            seed: round + 1,
            signal: stage.signal,
          })
          latencies.get(design)?.push(...turn.latenciesMs)
          if (design.own) oracle.add(turn.acceptedIds.length, turn.sentClicks)
          note(turn.voided)
        }
      }
      for (const [design, sample] of latencies) {
        sample.sort((a, b) => a - b)
        p50.set(design, [...(p50.get(design) ?? []), percentile(sample, 0.5)])
        p99.set(design, [...(p99.get(design) ?? []), percentile(sample, 0.99)])
      }
    }
    note(await oracle.ask())
    const of = (name: string) => designs.find((design) => design.name === name) as Design
    const [own, confirm] = [of(designNames.clicktally), of(designNames.perClickConfirm)]
    return {
      title: 'A lone click',
      about: [
        `${clicksPerSecond} clicks a second, one after the other over one connection, on a system that does nothing else: grouping must not
make a click wait that has no company. Each click has its moment, and its latency counts from there to the end of the 202. Clicktally and *${
          designNames.perClickConfirm
        }* take turns of a second; a round has ${scale.slices} of each. Both were put under full load for a while before, so that their code is compiled.`,
      ],
      tables: [
        {
          of: 'request to 202',
          columns: [
            { name: 'p50', unit: 'ms' },
            { name: 'p99', unit: 'ms' },
          ],
          rows: designs.map((design) => ({ name: design.name, cells: [p50.get(design), p99.get(design)] })),
        },
      ],
      verdicts: [{ target: 'loneClick', samples: pairedRatios(p50.get(own) ?? [], p50.get(confirm) ?? []) }],
      voided,
    }
  } finally {
    await started.stop()
  }
}
