import { printable } from '@clicktally/terminal/printable.ts'
import { formatCount, formatDuration, labelled, perSecond } from '@clicktally/terminal/progress.ts'
import { tableColumns, truncateMiddle } from '@clicktally/terminal/table.ts'
import type { ImportInput } from './import-input.ts'
import type { ImportTally } from './import-tally.ts'

/** The result of an import, as lines for people. */
export function describeImport(tally: ImportTally, inputs: readonly ImportInput[]): string[] {
  const { accepted, rejected, elapsedMs, days } = tally
  const speed = `${perSecond(accepted + rejected, elapsedMs)} a second`
  const lines = [
    labelled('Imported', `${formatCount(accepted)} clicks accepted, ${formatCount(rejected)} lines rejected`),
    labelled('', `in ${formatDuration(elapsedMs)}, ${speed}`),
  ]
  if (days !== undefined) {
    const [first, last] = [dayOf(days.firstMs), dayOf(days.lastMs)]
    const range = days.count === 1 ? first : `${formatCount(days.count)} days from ${first} to ${last}`
    lines.push(labelled('', `of ${range} (UTC)`))
  }
  return [...lines, ...describeReasons('Skipped', tally.skippedReasons), ...describeRejects(tally, inputs)]
}

function describeReasons(label: string, reasons: ImportTally['reasons']): string[] {
  return reasons.map(({ code, count, detail }, index) =>
    labelled(index === 0 ? label : '', `${formatCount(count)} × ${code}: ${printable(detail)}`),
  )
}

function describeRejects({ reasons, rejected, firstRejects }: ImportTally, inputs: readonly ImportInput[]): string[] {
  if (rejected === 0) return []
  const lines = describeReasons('Rejected', reasons)
  const many = inputs.length > 1
  const examples = firstRejects.map(({ input, record, refusal }) => {
    const place = `${many ? `${inputs[input]?.name} ` : ''}line ${record.line}: ${refusal.code}: `
    return labelled('', place + truncateMiddle(printable(record.text), Math.max(20, tableColumns - 10 - place.length)))
  })
  return [...lines, labelled('', 'the first of them:'), ...examples]
}

function dayOf(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10)
}
