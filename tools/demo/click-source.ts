import type { TargetCounts } from '@clicktally/requests/target-counts.ts'
import type { Click } from './click.ts'
import type { Timeline } from './timeline.ts'

/** A source of clicks that can be read repeatedly: every pass yields the same clicks. */
export interface ClickSource {
  /** For headings, as in "expected from access.log". */
  readonly name: string
  /** Counts the clicks. `onProgress` receives the completed share, from 0 to 1, and the number of clicks so far. */
  survey(signal: AbortSignal, onProgress: (share: number, clicks: number) => void): Promise<Survey>
  /** Equal timelines yield equal clicks with equal ids. */
  clicks(timeline: Timeline): AsyncGenerator<Click>
  close(): Promise<void>
}

/** The contents of a source. Times are the source's own, in milliseconds since 1970. */
export interface Survey {
  counts: TargetCounts
  firstMs: number
  lastMs: number
  /** Number of lines that could not be parsed. */
  unreadable: number
  firstUnreadable?: { lineNumber: number; line: string }
}
