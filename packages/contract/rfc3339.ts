const shape = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?(?:[Zz]|[+-](\d{2}):(\d{2}))$/

/**
 * The instant that an RFC 3339 time names, in milliseconds since 1970, finer fractions cut off. Undefined where the text
 * is no such time: another format, no offset, or a day or hour that does not exist. Leap seconds (:60) are not taken.
 */
export function parseRfc3339(text: string): number | undefined {
  const parts = shape.exec(text)
  if (parts === null) return undefined
  const [year, month, day, hour, minute, second, offsetHour, offsetMinute] = parts.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const daysInMonth = new Date(Date.UTC(year, month, 0)).getUTCDate()
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth || hour > 23 || minute > 59 || second > 59)
    return undefined
  if (offsetHour > 23 || offsetMinute > 59) return undefined
  const time = Date.parse(text.toUpperCase())
  return Number.isNaN(time) ? undefined : time
}
