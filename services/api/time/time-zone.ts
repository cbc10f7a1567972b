import { unknownTimeZone } from '../errors.ts'

/** The three-letter names of the IANA database. JavaScript accepts more: its BST is Bangladesh, and not Britain. */
const threeLetterZones = new Set('CET EET EST GMT HST MET MST PRC ROC ROK UCT UTC WET'.split(' '))
const dayMs = 86_400_000
const secondMs = 1_000

/** A time zone: converts between instants and local times, both in milliseconds since 1970. */
export interface TimeZone {
  readonly name: string
  /** Local time minus UTC, in milliseconds. */
  offsetAt(instantMs: number): number
  /** The first instant at which local clocks show this time or a later one, so also for a time that they skip or repeat. */
  instantOf(localMs: number): number
  /** The first instant after `fromMs` and until `toMs` at which the offset differs from that at `fromMs`. */
  nextTransition(fromMs: number, toMs: number): number | undefined
}

/**
 * The time zone of this name.
 *
 * @param name an IANA name
 * @throws {ServiceProblem} time_zone_unknown
 */
export function timeZoneOf(name: string): TimeZone {
  const isAbbreviation = name.length <= 3 && !threeLetterZones.has(name.toUpperCase())
  if (isAbbreviation || /^[+-]/.test(name)) throw unknownTimeZone(name)
  const offsetAt = name === 'UTC' ? () => 0 : offsetsOf(name)
  const nextTransition = (fromMs: number, toMs: number) => {
    // No zone changes its offset twice within a day.
    for (let stepMs = fromMs; stepMs < toMs; stepMs += dayMs) {
      const endMs = Math.min(stepMs + dayMs, toMs)
      if (offsetAt(endMs) !== offsetAt(fromMs)) return transitionBetween(offsetAt, stepMs, endMs)
    }
    return undefined
  }
  const instantOf = (localMs: number) => {
    const beforeMs = localMs - dayMs
    const afterMs = localMs + dayMs
    const instantMs = localMs - offsetAt(beforeMs)
    if (offsetAt(beforeMs) === offsetAt(afterMs)) return instantMs
    const transitionMs = transitionBetween(offsetAt, beforeMs, afterMs)
    return instantMs < transitionMs ? instantMs : Math.max(transitionMs, localMs - offsetAt(afterMs))
  }
  return { name, offsetAt, instantOf, nextTransition }
}

/** The offsets of a zone, each computed once: that takes some microseconds. */
function offsetsOf(timeZone: string): TimeZone['offsetAt'] {
  let format: Intl.DateTimeFormat
  try {
    format = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' })
  } catch (error) {
    throw unknownTimeZone(timeZone, error)
  }
  const known = new Map<number, number>()
  return (instantMs) => {
    const offsetMs = known.get(instantMs) ?? readOffset(format.format(instantMs))
    known.set(instantMs, offsetMs)
    return offsetMs
  }
}

/** Reads the offset at the end of `11/1/2026, GMT+05:45`. A zone's offset from before it had a standard time has seconds. */
function readOffset(text: string): number {
  const [, sign, hours, minutes, seconds = '0'] = /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(text) ?? []
  const offsetMs = (Number(hours ?? 0) * 3_600 + Number(minutes ?? 0) * 60 + Number(seconds)) * secondMs
  return sign === '-' ? -offsetMs : offsetMs
}

/** The first whole second with the offset of `afterMs`, if the offset changes once in between. */
function transitionBetween(offsetAt: TimeZone['offsetAt'], beforeMs: number, afterMs: number): number {
  let low = Math.floor(beforeMs / secondMs)
  let high = Math.ceil(afterMs / secondMs)
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (offsetAt(middle * secondMs) === offsetAt(beforeMs)) low = middle
    else high = middle
  }
  return high * secondMs
}
