import { type BodyCost, bodyCosts } from '@clicktally/ingest/test/body-cost.ts'
import { hostileBodies, validBody } from '@clicktally/ingest/test/hostile-bodies.ts'
import { SyntheticClicks } from '@clicktally/synthetic-clicks/synthetic-clicks.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import type { Measurement, Section } from '../measurement.ts'
import { type DatabaseSize, longHistoryOf } from '../storing/long-history.ts'

const sampledClicks = 20_000

/** CPU of ingest for bodies made to be expensive, relative to a valid batch of the same size. */
export const costliestBody: Measurement = {
  name: 'costliest-body',
  title: 'bodies made to be expensive',
  run: async (stage) => {
    const rounds: BodyCost[][] = []
    for (let round = 0; round < stage.rounds; round += 1) {
      stage.signal.throwIfAborted()
      stage.progress(`round ${round + 1}`, round / stage.rounds)
      rounds.push(await bodyCosts([validBody, ...hostileBodies]))
    }
    return bodySection(rounds)
  },
}

/** Disk space of the database per click, relative to the JSON that a client sends. */
export const bytesPerClick: Measurement = {
  name: 'bytes-per-click',
  title: 'database bytes per click',
  run: async (stage) => {
    const { sizeBefore, sizeAfter, denseClicks, denseDays, evenClicks, voided } = await longHistoryOf(stage)
    const json = meanJsonBytes()
    const perClick = (part: keyof DatabaseSize) => (sizeAfter[part] - sizeBefore[part]) / denseClicks
    const row = (name: string, bytes: number) => ({ name, cells: [[bytes], [bytes / json]] })
    return {
      title: 'Bytes per click',
      about: [
        `${formatCount(denseClicks)} synthetic clicks, spread evenly over ${denseDays} days, on 1,500 targets by 100,000 visitors, were counted
into a database with ${formatCount(evenClicks)} clicks of a year. The bytes are the growth of the database on disk after a checkpoint, with all counters
folded and rolled up, all hours and their minutes packed, and the keys of past days compacted, without the write-ahead log, whose size is
constant. Counters have a row for each target and hour with clicks, so their share shrinks with more clicks on the same targets.`,
      ],
      tables: [
        {
          of: 'what',
          columns: [
            { name: 'per click', unit: 'bytes' },
            { name: 'relative to the JSON', unit: '×' },
          ],
          rows: [
            row('JSON of a click, as a client sends it', json),
            row('whole database', perClick('whole')),
            row('raw clicks', perClick('clicks')),
            row('their primary key', perClick('clickIndexes')),
            row('counters and their indexes', perClick('counters')),
            row('columns and sums of packed hours', perClick('columns')),
            row('ledger', perClick('ledger')),
          ],
        },
      ],
      verdicts: [{ target: 'bytesPerClick', samples: [perClick('whole') / json] }],
      voided,
    }
  },
}

function bodySection(rounds: readonly (readonly BodyCost[])[]): Section {
  const ratios = rounds.map((round) => round.map(({ cpuMs }) => cpuMs / (round[0]?.cpuMs ?? Number.NaN)))
  const bodies = rounds[0] ?? []
  const samples = (index: number, figure: (cost: BodyCost) => number) =>
    rounds.flatMap((round) => round.slice(index, index + 1).map(figure))
  return {
    title: 'The most expensive request body',
    about: [
      `CPU time of ingest for one request of about 1 MiB, from its arrival to its response, without the broker: a valid batch, and bodies made
to be as expensive as possible for a parser or a check.`,
    ],
    tables: [
      {
        of: 'body',
        columns: [
          { name: 'CPU', unit: 'ms' },
          { name: 'relative to the valid batch', unit: '×' },
          { name: 'response', unit: 'bytes' },
        ],
        rows: bodies.map(({ name }, index) => ({
          name,
          cells: [
            samples(index, ({ cpuMs }) => cpuMs),
            ratios.flatMap((round) => round[index] ?? []),
            samples(index, ({ answerBytes }) => answerBytes),
          ],
        })),
      },
    ],
    verdicts: [{ target: 'costliestBody', samples: ratios.map((round) => Math.max(...round.slice(1))) }],
    voided: bodies[0]?.status === 202 ? [] : ['the valid batch was not accepted'],
  }
}

/** Without whitespace: only what a client has to send. */
function meanJsonBytes(): number {
  const clicks = new SyntheticClicks(7)
  const sizes = Array.from({ length: sampledClicks }, () => Buffer.byteLength(JSON.stringify(clicks.next(Date.now()))))
  return sizes.reduce((sum, bytes) => sum + bytes, 0) / sampledClicks
}
