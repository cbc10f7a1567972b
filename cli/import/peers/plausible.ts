import { CliError } from '../../cli-error.ts'
import type { HeaderReader, Row } from '../formats/csv-records.ts'
import type { FormatChoices } from '../formats/format-choices.ts'
import { identifiedId, type Reading } from '../formats/import-record.ts'
import { columnsOf } from './columns.ts'
import { pageTarget, readingOf, skippedOther, skippedPageview } from './peer-click.ts'

/** More in a day is taken for a broken file. */
const maxCount = 10_000_000
/** Plausible's own measure of how long a page was read. */
const engagement = 'engagement'

/**
 * Plausible's export has a file for each property of visits, with counts by day. Two of them are counts of what was done: custom
 * events and page views. A count becomes as many clicks at noon of its day. Their ids follow from what they count and their number, so a
 * later export in which a count has grown adds the difference.
 */
export function plausibleRows({ source, pageviews, timeZone }: FormatChoices): HeaderReader {
  return (name, header) => {
    const cell = columnsOf(name, header, ['date'], "a file of Plausible's export")
    const counted = (row: Row, column: string, identity: readonly string[], click: ClickOfCount) => {
      const date = cell(row.cells, 'date')
      const timeMs = noonOf(date, timeZone)
      const count = Number(cell(row.cells, column))
      if (timeMs === undefined)
        return refusal('date_invalid', `The date is "${date.slice(0, 40)}" and not such as 2026-05-17.`)
      if (!Number.isInteger(count) || count < 0 || count > maxCount)
        return refusal('count_invalid', `"${column}" is not a number from 0 to ${maxCount.toLocaleString('en-US')}.`)
      return clicksOf(count, (index) =>
        readingOf({ id: identifiedId(timeMs, source, 'plausible', date, ...identity, index), timeMs, ...click }),
      )
    }
    if (header.includes('name') && header.includes('events')) {
      return (row) => {
        const [target, link, path] = ['name', 'link_url', 'path'].map((column) => cell(row.cells, column)) as Three
        if (target === engagement) return skippedOther('how long pages were read')
        return counted(row, 'events', ['event', target, link, path], { target, props: { url: link, path } })
      }
    }
    if (header.includes('page') && header.includes('pageviews')) {
      return (row) => {
        if (!pageviews) return skippedPageview
        const [page, hostname] = ['page', 'hostname'].map((column) => cell(row.cells, column)) as [string, string]
        const url = hostname === '' ? page : `https://${hostname}${page}`
        return counted(row, 'pageviews', ['page', page], { target: pageTarget(page), url })
      }
    }
    throw new CliError(
      `${name}: of Plausible's export only imported_custom_events and imported_pages can be imported. The other files have the same visits by another property, and would count them again.`,
    )
  }
}

type Three = [string, string, string]
interface ClickOfCount {
  readonly target: string
  readonly url?: string
  readonly props?: Readonly<Record<string, string>>
}

function* clicksOf(count: number, click: (index: number) => Reading): Generator<Reading> {
  for (let index = 0; index < count; index++) yield click(index)
}

function refusal(code: string, detail: string): Reading {
  return { event: { code, detail } }
}

/** Noon of a date in a time zone; undefined if there is no such date. No zone changes its clocks at noon. */
export function noonOf(date: string, timeZone: string): number | undefined {
  const utcMs = /^\d{4}-\d{2}-\d{2}$/.test(date) ? Date.parse(`${date}T12:00:00Z`) : Number.NaN
  if (Number.isNaN(utcMs) || !new Date(utcMs).toISOString().startsWith(date)) return undefined
  const shown = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' }).format(utcMs)
  return utcMs - (Date.parse(`${shown.replace(' ', 'T')}Z`) - utcMs)
}
