/** How fresh an answer is, and what it covers. */
export interface Meta {
  /** Every click accepted before this time is included. Null if nothing has ever been counted. */
  readonly asOf: string | null
  readonly lagMs: number | null
  readonly tz: string
  readonly source: string
  /** The range that was counted. Null: since the first click, or up to the last one. */
  readonly from?: string | null
  readonly to?: string | null
}

interface Count {
  /** Clicks by people. */
  readonly total: number
  /** Clicks by programs; not included in `total`. */
  readonly bots: number
}

export interface Counts extends Count {
  readonly visitors: number
  readonly meta: Meta
}

export type Interval = 'minute' | 'hour' | 'day' | 'week' | 'month' | 'quarter' | 'year'

export interface Series {
  readonly points: readonly (Count & {
    readonly start: string
    /** Exclusive. */
    readonly end: string
    readonly visitors?: number
  })[]
  readonly meta: Meta
}

export interface Top {
  readonly targets: readonly (Count & { readonly target: string; readonly visitors?: number })[]
  /** For `cursor` of the next page. */
  readonly nextCursor: string | null
  readonly meta: Meta
}

/** What became of a click. `unknown`: clicks of that time have been archived or removed, so that it cannot be looked up. */
export interface Receipt {
  readonly id: string
  readonly status: 'counted' | 'dead' | 'not_seen' | 'unknown'
  readonly target?: string
  readonly occurredAt?: string
  readonly receivedAt?: string
  readonly countedAt?: string
  readonly diedAt?: string
  readonly reason?: string
  readonly meta: Meta
}
