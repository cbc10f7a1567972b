import type { TargetCounts } from '@clicktally/client/target-counts.ts'
import type { Click } from './click.ts'
import type { Timeline } from './timeline.ts'

/** Where clicks come from: counted in one pass, made in another, the same ones each time. */
export interface ClickSource {
  /** As in "computed from …". */
  readonly name: string
  /** Counts without making a click. `onProgress` gets the share that is done, from 0 to 1, and the clicks so far. */
  survey(signal: AbortSignal, onProgress: (share: number, clicks: number) => void): Promise<Survey>
  /** The same clicks with the same ids whenever the timeline is the same. */
  clicks(timeline: Timeline): AsyncGenerator<Click>
  close(): Promise<void>
}

/** What a source holds. Times in milliseconds since 1970, as the source has them. */
export interface Survey {
  counts: TargetCounts
  firstMs: number
  lastMs: number
  /** Lines that could not be read as a click. */
  unreadable: number
  /** The first of them, with its number, to look at. */
  firstUnreadable?: { lineNumber: number; line: string }
}
