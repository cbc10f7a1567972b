import { type BodyCost, bodyCosts } from '@clicktally/ingest/test/body-cost.ts'
import { hostileBodies, validBody } from '@clicktally/ingest/test/hostile-bodies.ts'
import type { Measurement, Section } from '../measurement.ts'

/** What bodies that were made to be costly cost ingest, beside a valid batch of the same size. */
export const costliestBody: Measurement = {
  name: 'costliest-body',
  title: 'bodies that were made to be costly',
  run: async (stage) => {
    const rounds: BodyCost[][] = []
    for (let round = 0; round < stage.rounds; round += 1) {
      stage.signal.throwIfAborted()
      stage.progress(`round ${round + 1}`, round / stage.rounds)
      rounds.push(await bodyCosts([validBody, ...hostileBodies]))
    }
    return sectionOf(rounds)
  },
}

function sectionOf(rounds: readonly (readonly BodyCost[])[]): Section {
  const ratiosIn = (round: readonly BodyCost[]) => round.map(({ cpuMs }) => cpuMs / (round[0]?.cpuMs ?? Number.NaN))
  const ratios = rounds.map(ratiosIn)
  const bodies = rounds[0] ?? []
  return {
    title: 'The costliest body',
    about: [
      'CPU time of ingest for one request of about 1 MiB, from its arrival to its answer, the broker left out: a valid batch, and ' +
        'bodies that were made to cost a parser or a check as much as they can.',
    ],
    tables: [
      {
        of: 'body',
        columns: [
          { name: 'CPU', unit: 'ms' },
          { name: 'of the valid batch', unit: '×' },
          { name: 'answer', unit: 'bytes' },
        ],
        rows: bodies.map(({ name }, index) => ({
          name,
          cells: [
            rounds.map((round) => round[index]?.cpuMs ?? Number.NaN),
            ratios.map((round) => round[index] ?? Number.NaN),
            rounds.map((round) => round[index]?.answerBytes ?? Number.NaN),
          ],
        })),
      },
    ],
    verdicts: [{ target: 'costliestBody', samples: ratios.map((round) => Math.max(...round.slice(1))) }],
    voided: bodies[0]?.status === 202 ? [] : ['the valid batch was not accepted'],
  }
}
