const firstMs = Date.parse('0001-01-01T00:00:00Z')
const endMs = Date.parse('9999-12-31T23:59:59.999Z')

/**
 * A time in milliseconds since 1970, as PostgreSQL reads it. Outside of the years 1 to 9999, which have four digits, and where no click can be:
 * `-infinity` or `infinity`.
 */
export function timestampText(ms: number): string {
  if (ms < firstMs) return '-infinity'
  return ms > endMs ? 'infinity' : new Date(ms).toISOString()
}
