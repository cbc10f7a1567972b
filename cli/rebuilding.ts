import { setTimeout as sleep } from 'node:timers/promises'
import { sqlStateOf } from '@clicktally/database/sqlstate.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import type { CounterKey } from './queries/counter-differences.ts'
import { mendCounters } from './queries/mend-counters.ts'

/** Counters that are mended together are locked together, and all clicks of their minutes are read. */
const maxKeys = 2_000
const maxSpanMs = 10 * 60_000
/** Less than the processors' patience with a lock, which is 5 s; they try again after it, so more does no harm. */
const defaultWithinMs = 4_000
/** For a single minute, which can't be divided. */
const withinMsAtLeast = 120_000
const maxTries = 10
/** Deadlock, lock timeout, serialization failure: who tries again succeeds. */
const passing = new Set(['40P01', '55P03', '40001'])

/**
 * Mends the counters of these keys, which come ordered by minute; returns how many were changed. What was mended stays so
 * wherever this is broken off.
 */
export async function rebuildCounters(
  db: Kysely<Tables>,
  keys: readonly CounterKey[],
  interruption: AbortSignal,
  onProgress: (keys: number) => void,
  withinMs: number = defaultWithinMs,
): Promise<number> {
  let mended = 0
  for (let start = 0; start < keys.length && !interruption.aborted; ) {
    const firstMs = keys[start]?.minute.getTime() ?? 0
    let end = start + 1
    while (end < keys.length && end - start < maxKeys && (keys[end]?.minute.getTime() ?? 0) - firstMs < maxSpanMs)
      end += 1
    mended += await mendTogether(db, keys.slice(start, end), withinMs)
    start = end
    onProgress(start)
  }
  return mended
}

async function mendTogether(db: Kysely<Tables>, keys: readonly CounterKey[], withinMs: number): Promise<number> {
  const minutes = [...new Set(keys.map(({ minute }) => minute.getTime()))]
  const isOneMinute = minutes.length === 1
  for (let tries = 1; ; tries += 1) {
    try {
      return await mendCounters(db, keys, isOneMinute ? withinMsAtLeast : withinMs)
    } catch (error) {
      const state = sqlStateOf(error) ?? ''
      if (state === '57014' && !isOneMinute) {
        const middle = minutes[minutes.length >> 1] ?? 0
        const before = keys.filter(({ minute }) => minute.getTime() < middle)
        const after = keys.filter(({ minute }) => minute.getTime() >= middle)
        return (await mendTogether(db, before, withinMs)) + (await mendTogether(db, after, withinMs))
      }
      if (!passing.has(state) || tries === maxTries) throw error
      await sleep(50 * 2 ** Math.min(tries, 5) * (0.75 + Math.random() / 2))
    }
  }
}
