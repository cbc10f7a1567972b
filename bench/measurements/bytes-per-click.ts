import { MadeClicks } from '@clicktally/made-clicks/made-clicks.ts'
import type { DatabaseSize } from '../database-size.ts'
import { type LongHistory, longHistoryOf } from '../long-history.ts'
import type { Measurement, Section } from '../measurement.ts'

const sampledClicks = 20_000

/** What a click takes on the database's disk, beside the JSON that a client sends. */
export const bytesPerClick: Measurement = {
  name: 'bytes-per-click',
  title: 'database bytes per click',
  run: async (stage) => sectionOf(await longHistoryOf(stage)),
}

const parts: readonly { readonly name: string; readonly part: keyof DatabaseSize }[] = [
  { name: 'raw clicks', part: 'clicks' },
  { name: 'their primary key', part: 'clickIndexes' },
  { name: 'counters and their indexes', part: 'counters' },
  { name: 'ledger', part: 'ledger' },
]

function sectionOf(history: LongHistory): Section {
  const { sizeBefore, sizeAfter, denseClicks, denseDays, evenClicks } = history
  const json = meanJsonBytes()
  const perClick = (part: keyof DatabaseSize) => (sizeAfter[part] - sizeBefore[part]) / denseClicks
  const whole = perClick('whole')
  const row = (name: string, bytes: number) => ({ name, cells: [[bytes], [bytes / json]] })
  return {
    title: 'Bytes per click',
    about: [
      `${denseClicks.toLocaleString('en-US')} made clicks, evenly over ${denseDays} days, on 1,500 targets by 100,000 visitors, were counted into a ` +
        `database that had ${evenClicks.toLocaleString('en-US')} of a year. Bytes are what the database has grown by on disk, read after a checkpoint when all ` +
        'counters were folded and rolled up; the write-ahead log, which is of constant size, is not in it. Counters have a row for ' +
        'each target and minute with clicks: with more clicks on the same targets, their part becomes smaller.',
    ],
    tables: [
      {
        of: 'what',
        columns: [
          { name: 'per click', unit: 'bytes' },
          { name: 'beside the JSON', unit: '×' },
        ],
        rows: [
          row('the JSON of a click, as a client sends it', json),
          row('the database, everything', whole),
          ...parts.map(({ name, part }) => row(name, perClick(part))),
        ],
      },
    ],
    verdicts: [{ target: 'bytesPerClick', samples: [whole / json] }],
    voided: history.voided,
  }
}

/** With nothing but what clients must send: no blanks. */
function meanJsonBytes(): number {
  const made = new MadeClicks(7)
  let bytes = 0
  for (let count = 0; count < sampledClicks; count += 1)
    bytes += Buffer.byteLength(JSON.stringify(made.next(Date.now())))
  return bytes / sampledClicks
}
