import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'

/** How far the processors were at a moment: clicks that have come to an end in the ledger. */
export interface DrainSample {
  /** By performance.now(). */
  readonly atMs: number
  readonly clicks: number
}

/** From the first commit that was seen to the last. */
export interface Drained {
  readonly first: DrainSample
  readonly last: DrainSample
}

export interface DrainWatchOptions {
  /** How many clicks there are to end. */
  readonly clicks: number
  readonly signal: AbortSignal
  /** Whether all who are to drain are at work; commits that are seen before are not looked at. Default: always. */
  readonly hasBegun?: () => boolean
  /** So many clicks are at their end before the first commit that counts: those who drain get warm by them. Default: none. */
  readonly warmUpClicks?: number
  /** Called at the first commit that is seen, and at the last, with nothing in between. */
  readonly onFirst?: () => void
  readonly onLast?: () => void
  readonly onProgress?: (clicks: number) => void
}

/** Sums over some thousand rows, in a few milliseconds: the watch takes a few percent of one core. */
const askEveryMs = 100
/** Longer than a processor waits for anything. */
const stuckAfterMs = 45_000

/**
 * Watches the ledger until so many clicks are at their end, and returns the first and the last that it saw of it. The clicks
 * of the first commit are left out, and so is the time before it.
 *
 * @throws when nothing moves for 45 s, when more come than there are, and the signal's reason
 */
export async function watchDrain(client: Client, options: DrainWatchOptions): Promise<Drained> {
  const { clicks, signal, hasBegun = () => true, warmUpClicks = 0, onFirst, onLast, onProgress } = options
  let first: DrainSample | undefined
  let latest: DrainSample = { atMs: performance.now(), clicks: 0 }
  for (;;) {
    signal.throwIfAborted()
    const ended = await clicksAtTheirEnd(client)
    const atMs = performance.now()
    if (ended > latest.clicks) {
      latest = { atMs, clicks: ended }
      if (first === undefined && ended >= warmUpClicks && hasBegun()) {
        first = latest
        onFirst?.()
      }
      onProgress?.(ended)
    }
    if (ended >= clicks) break
    if (atMs - latest.atMs > stuckAfterMs) throw new Error(`the processors stand still: ${ended} of ${clicks} clicks`)
    await sleep(askEveryMs)
  }
  onLast?.()
  if (latest.clicks > clicks) throw new Error(`${latest.clicks} clicks came to their end where there are ${clicks}`)
  if (first === undefined) throw new Error('too few clicks: all were at their end before every processor was at work')
  return { first, last: latest }
}

/** Clicks a second. @throws when all was done at once, so that there is nothing to divide */
export function speedOf({ first, last }: Drained): number {
  const seconds = (last.atMs - first.atMs) / 1_000
  if (seconds <= 0) throw new Error('too few clicks: the first commit that was seen was the last')
  return (last.clicks - first.clicks) / seconds
}

/** Counted, skipped as duplicates, or dead: in one statement, since messages are folded into their producers. */
export async function clicksAtTheirEnd(client: Client): Promise<number> {
  const { rows } = await client.query<{ ended: number }>(
    `select (select coalesce(sum(counted + duplicates + dead), 0) from messages)::float8
          + (select coalesce(sum(counted + duplicates), 0) from producers)::float8 as ended`,
  )
  return rows[0]?.ended ?? 0
}
