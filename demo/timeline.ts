import type { TimeRange } from '@clicktally/client/counts-reader.ts'

const hourMs = 3_600_000
const minuteMs = 60_000

/** The api takes clicks up to 72 h old. 60 h leave 12 h for the sending itself and for clocks that differ. */
export const maxSpanMs = 60 * hourMs

/** Moves times of the past so that the last one falls on `endMs`, and draws them together where they span too much. */
export class Timeline {
  readonly endMs: number
  /** 1 where the times keep their distances, less where they were drawn together. */
  readonly scale: number
  readonly #firstMs: number
  readonly #lastMs: number

  constructor(firstMs: number, lastMs: number, endMs: number) {
    this.#firstMs = firstMs
    this.#lastMs = lastMs
    this.endMs = endMs
    this.scale = Math.min(1, maxSpanMs / Math.max(1, lastMs - firstMs))
  }

  /** The new time, a whole number of milliseconds. */
  move(timeMs: number): number {
    return this.endMs - Math.round((this.#lastMs - timeMs) * this.scale)
  }

  /** The whole minutes that hold every moved time: counters know no smaller unit. */
  range(): TimeRange {
    return wholeMinutes(this.move(this.#firstMs), this.endMs)
  }
}

/** The whole minutes that hold both times, and one minute more. */
export function wholeMinutes(firstMs: number, lastMs: number): TimeRange {
  return {
    fromMs: Math.floor(firstMs / minuteMs) * minuteMs,
    toMs: Math.ceil(lastMs / minuteMs) * minuteMs + minuteMs,
  }
}
