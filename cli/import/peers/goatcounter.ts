import { parseRfc3339 } from '@clicktally/event/rfc3339.ts'
import { CliError } from '../../cli-error.ts'
import type { HeaderReader } from '../formats/csv-records.ts'
import type { FormatChoices } from '../formats/format-choices.ts'
import { importId } from '../formats/import-record.ts'
import { columnsOf } from './columns.ts'
import { pageTarget, readingOf, skippedPageview, withoutTime } from './peer-click.ts'

/** The scheme of a referrer that is a URL, which is stored without `https://`. */
const isUrl = 'h'

/** GoatCounter's CSV export, version 1 or 2: the version precedes the first column's name. Its rows have no ids. */
export function goatcounterRows({ source, pageviews }: FormatChoices): HeaderReader {
  return (name, header) => {
    const [, version] = /^(\d+)Path$/.exec(header[0] ?? '') ?? []
    if (version !== '1' && version !== '2') {
      throw new CliError(`${name} is not GoatCounter's CSV export of version 1 or 2: its first column is not "2Path".`)
    }
    const columns = ['Path', ...header.slice(1)]
    const required = ['Path', 'Event', 'Session', 'Bot', 'Referrer', 'Referrer scheme', 'Location', 'Date']
    const cell = columnsOf(name, columns, required, "GoatCounter's CSV export")
    const userAgent = version === '1' ? 'Browser' : 'UserAgent'
    return ({ cells, line, text }) => {
      const of = (column: string) => cell(cells, column)
      const isEvent = of('Event') === 'true'
      if (!isEvent && !pageviews) return skippedPageview
      const timeMs = parseRfc3339(of('Date'))
      if (timeMs === undefined) return withoutTime
      const path = of('Path')
      return readingOf({
        id: importId(timeMs, source, line, text),
        timeMs,
        target: isEvent ? path : pageTarget(path),
        visitorId: of('Session'),
        url: isEvent ? undefined : path,
        referrer: of('Referrer scheme') === isUrl && of('Referrer') !== '' ? `https://${of('Referrer')}` : undefined,
        // A region follows the country: US-TX.
        country: of('Location').slice(0, 2),
        userAgent: of(userAgent),
        isBot: !['', '0'].includes(of('Bot')),
      })
    }
  }
}
