import { unknownTimeZone } from './errors.ts'

/**
 * The three-letter names that the IANA database has. JavaScript knows more, PostgreSQL too, and they do not agree: BST is
 * Bangladesh to one and Britain to the other, VST is known to one alone.
 */
const threeLetterZones = new Set('CET EET EST GMT HST MET MST PRC ROC ROK UCT UTC WET'.split(' '))

/**
 * The name of a time zone that PostgreSQL understands as the caller does.
 *
 * @param tz an IANA name
 * @throws {ServiceProblem} time_zone_unknown. A name that JavaScript knows and PostgreSQL does not is left to
 *   databaseProblem(), which answers with the same
 */
export function readTimeZone(tz: string): string {
  const isAbbreviation = tz.length <= 3 && !threeLetterZones.has(tz.toUpperCase())
  // PostgreSQL also takes offsets, whose signs mean the opposite of what most expect.
  if (isAbbreviation || /^[+-]/.test(tz)) throw unknownTimeZone()
  try {
    const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: tz }).resolvedOptions()
    // PostgreSQL takes CET for an abbreviation, which has no summer time, and not for the zone that it is.
    return tz.includes('/') ? tz : timeZone
  } catch (error) {
    throw unknownTimeZone(error)
  }
}
