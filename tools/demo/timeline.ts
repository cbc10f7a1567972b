import type { TimeRange } from '@clicktally/requests/counts-reader.ts'

const hourMs = 3_600_000
const minuteMs = 60_000

/** Ingest accepts clicks up to 72 h old. 60 h leave 12 h for sending them and for clock skew. */
export const maxSpanMs = 60 * hourMs

/** Shifts times so that the last one becomes `endMs`, and compresses a time span that is too long. */
export class Timeline {
  readonly endMs: number
  /** 1, or less where the time span was compressed. */
  readonly scale: number
  readonly #firstMs: number
  readonly #lastMs: number

  constructor(firstMs: number, lastMs: number, endMs: number) {
    this.#firstMs = firstMs
    this.#lastMs = lastMs
    this.endMs = endMs
    this.scale = Math.min(1, maxSpanMs / Math.max(1, lastMs - firstMs))
  }

  /** Returns the shifted time, in whole milliseconds. */
  move(timeMs: number): number {
    return this.endMs - Math.round((this.#lastMs - timeMs) * this.scale)
  }

  /** The whole minutes that cover every shifted time: a counter covers one minute. */
  range(): TimeRange {
    return wholeMinutes(this.move(this.#firstMs), this.endMs)
  }
}

/** The whole minutes that cover both times, plus one minute. */
export function wholeMinutes(firstMs: number, lastMs: number): TimeRange {
  return {
    fromMs: Math.floor(firstMs / minuteMs) * minuteMs,
    toMs: Math.ceil(lastMs / minuteMs) * minuteMs + minuteMs,
  }
}
