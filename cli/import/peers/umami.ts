import { parseRfc3339 } from '@clicktally/event/rfc3339.ts'
import type { HeaderReader } from '../formats/csv-records.ts'
import type { FormatChoices } from '../formats/format-choices.ts'
import { identifiedId, importId } from '../formats/import-record.ts'
import { columnsOf } from './columns.ts'
import { pageTarget, readingOf, skippedOther, skippedPageview, withoutTime } from './peer-click.ts'

/** Umami's codes in `event_type`. */
const types = { pageview: '1', event: '2' } as const

/**
 * Rows of Umami's table `website_event`, from Umami Cloud's export or a query of the database. With the column `event_id` a row is the same
 * click in every export; without it, only at the same line.
 */
export function umamiRows({ source, pageviews }: FormatChoices): HeaderReader {
  return (name, header) => {
    const cell = columnsOf(
      name,
      header,
      ['created_at', 'event_type', 'event_name', 'url_path'],
      "an export of Umami's events (the summary of its dashboard has no times)",
    )
    return ({ cells, line, text }) => {
      const of = (column: string) => cell(cells, column)
      const type = of('event_type')
      const isEvent = type === types.event
      if (!isEvent && type !== types.pageview) return skippedOther('a link, a pixel or a measurement')
      if (!isEvent && !pageviews) return skippedPageview
      const timeMs = timeOf(of('created_at'))
      if (timeMs === undefined) return withoutTime
      const path = of('url_path')
      const query = of('url_query').replace(/^\??/, '?').replace(/^\?$/, '')
      const host = of('hostname')
      const referrer = of('referrer_domain')
      return readingOf({
        id:
          of('event_id') === ''
            ? importId(timeMs, source, line, text)
            : identifiedId(timeMs, source, 'umami', of('event_id')),
        timeMs,
        target: isEvent ? of('event_name') : pageTarget(path),
        visitorId: of('session_id'),
        url: `${host === '' ? '' : `https://${host}`}${path}${query}`,
        referrer: referrer === '' ? undefined : `https://${referrer}${of('referrer_path')}`,
        country: of('country'),
      })
    }
  }
}

/** `2024-03-15 10:00:00`, as ClickHouse writes UTC, or `2024-03-15 10:00:00.123+02`, as PostgreSQL writes any zone. */
function timeOf(text: string): number | undefined {
  const [, date, time, zone = ''] =
    /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2}(?:\.\d+)?)(Z|[+-]\d{2}(?::?\d{2})?)?$/.exec(text.trim()) ?? []
  if (time === undefined) return undefined
  const [, hours, minutes = '00'] = /^([+-]\d{2}):?(\d{2})?$/.exec(zone) ?? []
  return parseRfc3339(`${date}T${time}${hours === undefined ? 'Z' : `${hours}:${minutes}`}`)
}
