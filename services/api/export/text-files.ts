import type { ClickProperty } from '@clicktally/operations/read/click-operations.ts'
import { propertyValue } from '../clicks/click-record.ts'
import type { ClickRow } from '../queries/click-page.ts'

/**
 * Texts that a spreadsheet would take for a formula (OWASP, "CSV Injection"), and those that begin with the apostrophe that
 * protects these, so that one leading apostrophe can always be removed.
 */
const needsApostrophe = /^[=+\-@＝＋－＠\t\r\n']/

/** Lines of CSV (RFC 4180). Texts are quoted, so that an empty one differs from none. */
export async function* csvFile(
  pages: AsyncIterable<readonly ClickRow[]>,
  properties: readonly ClickProperty[],
): AsyncGenerator<string> {
  yield `${properties.map(({ name }) => name).join(',')}\r\n`
  for await (const rows of pages) {
    yield rows
      .map((row) => `${properties.map((property) => csvCell(property, propertyValue(property, row))).join(',')}\r\n`)
      .join('')
  }
}

function csvCell({ kind }: ClickProperty, value: unknown): string {
  if (value === null) return ''
  if (value instanceof Date) return value.toISOString()
  if (kind === 'id' || kind === 'boolean') return String(value)
  const text = kind === 'object' ? JSON.stringify(value) : String(value)
  return `"${needsApostrophe.test(text) ? "'" : ''}${text.replaceAll('"', '""')}"`
}

/** Lines of JSON. */
export async function* ndjsonFile(
  pages: AsyncIterable<readonly ClickRow[]>,
  properties: readonly ClickProperty[],
): AsyncGenerator<string> {
  for await (const rows of pages) {
    yield rows
      .map(
        (row) =>
          `${JSON.stringify(Object.fromEntries(properties.map((each) => [each.name, propertyValue(each, row)])))}\n`,
      )
      .join('')
  }
}
