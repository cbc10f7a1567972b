import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import { rebuildCounters } from '../counters/rebuilding.ts'
import type { CounterKey } from '../queries/counters/counter-differences.ts'
import { projectHorizons, rawClicksHorizon } from '../queries/raw-clicks-horizon.ts'
import {
  clickPartitions,
  foldDeltas,
  forgetClicks,
  pagesOf,
  recordForgetting,
  type Visitor,
  type VisitorClick,
  visitorClicks,
} from '../queries/visitor-clicks.ts'
import { type ForgottenLetters, forgetLetters } from './forget-letters.ts'

export interface Forgetting extends Visitor {
  /** Who asked for it, for the audit log. */
  readonly operatorName: string
  readonly interruption: AbortSignal
  readonly onProgress: (pages: number, totalPages: number) => void
}

export interface Forgotten extends ForgottenLetters {
  /** From which the visitor was removed. */
  readonly clicks: number
  /** Clicks among them whose counters could not be recomputed: their minute has lost raw clicks. */
  readonly clicksBeforeHorizon: number
  /** Counters that were changed. */
  readonly counters: number
  readonly isInterrupted: boolean
}

/** A counter, and the clicks in it from which the visitor is removed. */
interface ForgottenKey extends CounterKey {
  readonly clicks: VisitorClick[]
}

/** 16 MiB: a step reads them in some ten milliseconds, and they hold at most some hundred thousand clicks. */
const pagesAtOnce = 2_048
/** Of the clicks that are changed without their counters. */
const clicksAtOnce = 5_000

/**
 * Removes a visitor from clicks, counters and dead letters, while the system continues to count. Each step is one short
 * transaction that leaves clicks and counters consistent. If it is interrupted, the next call continues where it stopped.
 *
 * A step removes the visitor from some clicks, folds all deltas, so that those of these clicks are in the counters, and then
 * recomputes the counters from the raw clicks. Deltas that are committed later belong to later clicks.
 */
export async function forgetVisitor(db: Kysely<Tables>, forgetting: Forgetting): Promise<Forgotten> {
  const { visitorId, interruption, onProgress } = forgetting
  const entry = await recordForgetting(db, forgetting, forgetting.operatorName)
  const horizon = await db.transaction().execute(rawClicksHorizon)
  const ofProjects = new Map(
    (await db.transaction().execute(projectHorizons)).map(({ projectId, completeSince }) => [projectId, completeSince]),
  )
  const partitions = await clickPartitions(db)
  let totalPages = 0
  for (const partition of partitions) totalPages += await pagesOf(db, partition)

  let donePages = 0
  const done = { clicks: 0, clicksBeforeHorizon: 0, counters: 0 }
  for (const partition of partitions) {
    // New clicks may arrive in the partition of today.
    for (let page = 0; page < (await pagesOf(db, partition)) && !interruption.aborted; page += pagesAtOnce) {
      await forgetFound(await visitorClicks(db, partition, page, page + pagesAtOnce, forgetting))
      donePages += pagesAtOnce
      onProgress(Math.min(donePages, totalPages), totalPages)
    }
  }
  const letters = await forgetLetters(db, forgetting, interruption)
  return { ...done, ...letters, isInterrupted: interruption.aborted }

  async function forgetFound(found: VisitorClick[]): Promise<void> {
    if (found.length === 0) return
    const isCorrected = ({ isCounted, minute, projectId }: VisitorClick) =>
      isCounted &&
      (horizon === undefined || minute >= horizon.completeSince) &&
      minute >= (ofProjects.get(projectId) ?? new Date(0))
    const others = found.filter((click) => !isCorrected(click))
    for (let at = 0; at < others.length && !interruption.aborted; at += clicksAtOnce) {
      const some = others.slice(at, at + clicksAtOnce)
      await forgetClicks(db, entry, visitorId, some)
      done.clicks += some.length
      done.clicksBeforeHorizon += some.filter(({ isCounted }) => isCounted).length
    }
    const keys = keysOf(found.filter(isCorrected))
    // Most deltas are folded here: the transactions below hold the fold's lock.
    if (keys.length > 0) await foldDeltas(db)
    let doneKeys = 0
    done.counters += await rebuildCounters(db, keys, {
      interruption,
      before: async (transaction, some) => {
        await forgetClicks(
          transaction,
          entry,
          visitorId,
          some.flatMap(({ clicks }) => clicks),
        )
        await foldDeltas(transaction)
      },
      onProgress: (count) => {
        for (const { clicks } of keys.slice(doneKeys, count)) done.clicks += clicks.length
        doneKeys = count
      },
    })
  }
}

/** The counters of these clicks, ordered by time. */
function keysOf(clicks: readonly VisitorClick[]): ForgottenKey[] {
  const keys = new Map<string, ForgottenKey>()
  for (const click of clicks) {
    const { projectId, target, minute } = click
    const name = JSON.stringify([projectId, target, minute])
    const key = keys.get(name) ?? { bucket: 'minute', projectId, target, start: minute, clicks: [] }
    key.clicks.push(click)
    keys.set(name, key)
  }
  return [...keys.values()].sort((a, b) => a.start.getTime() - b.start.getTime())
}
