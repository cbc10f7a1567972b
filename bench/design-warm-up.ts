import { playTurn, type TurnFigures } from './accepting-turn.ts'
import type { ClickOracle } from './click-oracle.ts'
import type { Design } from './design.ts'
import type { LoadGenerator } from './load-generator.ts'
import type { Stage } from './measurement.ts'

export interface WarmUpOptions {
  readonly generator: LoadGenerator
  readonly oracle: ClickOracle
  readonly durationMs: number
  readonly stage: Pick<Stage, 'dir' | 'signal'>
}

const connections = 64

/** Puts each design under full load for a while: code that has run a few times only is slow, whoever's it is. */
export async function warmUp(
  designs: readonly Design[],
  { generator, oracle, durationMs, stage: { dir, signal } }: WarmUpOptions,
): Promise<Map<Design, TurnFigures>> {
  const figures = new Map<Design, TurnFigures>()
  for (const design of designs) {
    const turn = await playTurn(design, {
      generator,
      clicksPerRequest: 1,
      content: { kind: 'clicks', clicksPerRequest: 1, seed: 1 },
      connections,
      // What it reaches at the end of it, as some want to know.
      warmUpMs: durationMs / 2,
      measuredMs: durationMs / 2,
      dir,
      signal,
    })
    if (design.own) oracle.add(turn.accepted, turn.possible)
    figures.set(design, turn)
  }
  return figures
}
