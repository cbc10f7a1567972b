import { clicksMessageType } from '@clicktally/contract/clicks-message.ts'
import { timeOfUuidV7 } from '@clicktally/contract/uuid-v7.ts'
import type { DatabaseError, Pool, PoolClient } from 'pg'
import type { BinaryCopy } from './binary-copy.ts'
import { type ArrangedBatch, arrange, type ClickBatch, copyOf, copyStatements } from './click-batch.ts'
import { CopyStatement } from './copy-statement.ts'
import { verdictOn } from './failure-policy.ts'
import { SpareCopies } from './spare-copies.ts'
import { countClicks } from './sql/count-clicks.ts'
import { idOf, lineOf, readAll, type TakenClick } from './taken-click.ts'
import type { DeadLetter, TakenMessage } from './taken-message.ts'

const dayMs = 86_400_000
/** Partitions are made this far back (72 h is the window) and ahead (24 h is what an id may be); others when a click needs them. */
const daysBack = 3
const daysAhead = 7
/** Producers whose row is known to be there. Each connection of an ingest is one: far fewer live at a time. */
const maxKnownProducers = 1_000
const maxDetailChars = 500
const uniqueViolation = '23505'

export interface Counted {
  /** Clicks that were new. */
  readonly counted: number
  /** Clicks whose id was there already. */
  readonly duplicates: number
}

/** What became of a message of which the database refused clicks: those are in the dead letters. */
export interface CountedDespiteRefusals extends Counted {
  readonly refused: readonly DeadLetter[]
}

/**
 * The raw clicks, the counters, the ledger and the dead letters.
 *
 * Batches whose clicks are all new, nearly all, are written the fast way, as copies. That one is not shows when the primary
 * key refuses it. From then on the database is asked which ids it knows, and these are left out, until it knows none again.
 * Where the copy is refused all the same, and where there are dead letters, the statement of sql/count-clicks.ts tells
 * known from new by itself. Each way is one transaction.
 */
export class ClickStore {
  readonly #pool: Pool
  readonly #knownProducers = new Set<string>()
  readonly #spareCopies = new SpareCopies()
  #expectsKnown = false

  constructor(pool: Pool) {
    this.#pool = pool
  }

  /** Does of count() what needs no database; to be called, or not, while that is busy with another batch. */
  prepare(batch: ClickBatch): void {
    if (!this.#expectsKnown && batch.isCopyable) batch.copy ??= copyOf(batch.arranged, this.#spareCopies.take())
  }

  /**
   * Stores the clicks whose id is new, adds exactly those to the counters, buries the dead letters, and enters each message
   * in the ledger: one transaction, so all or nothing.
   *
   * @throws what PostgreSQL said. After a lost connection it is not known whether it was done; doing it again changes nothing.
   */
  async count(batch: ClickBatch): Promise<Counted> {
    await this.#noteProducers(batch.messages)
    if (batch.isCopyable) {
      const counted = await this.#copy(batch)
      if (counted !== undefined) return counted
    }
    const counted = batch.isCopyable
      ? await runCountClicks(this.#pool, batch.arranged)
      : await this.#bury((client) => runCountClicks(client, batch.arranged))
    return { counted, duplicates: batch.clicks - counted }
  }

  /**
   * Does the same with one message, some of whose clicks the database refuses: halves until each of them is alone, and
   * buries it. One transaction, with a savepoint for each attempt, so that the message is accounted for as a whole.
   *
   * @throws what PostgreSQL said, if it was not about a click. Nothing is done then.
   */
  async countDespiteRefusals(message: TakenMessage): Promise<CountedDespiteRefusals> {
    await this.#noteProducers([message])
    return this.#bury(async (client) => {
      const keptSinceMs = await readKeptSince(client)
      const isKept = (click: TakenClick) => timeOfUuidV7(idOf(click)) >= keptSinceMs
      const part = await countPart(client, message, message.clicks.filter(isKept))
      const { counted, duplicates } = part
      const before = message.clicks.filter((click) => !isKept(click))
      const refused = [...part.refused, ...before.map((click) => clickBeforeHorizon(click, keptSinceMs))]
      const deadLetters = [...message.deadLetters, ...refused]
      const entry = { stamp: message.stamp, clicks: [], deadLetters, before: { counted, duplicates } }
      await runCountClicks(client, arrange([entry]))
      return { counted, duplicates, refused }
    })
  }

  /** Makes the partitions that clicks of these days may need; does nothing where they are. */
  async makePartitionsAround(nowMs: number): Promise<void> {
    for (let day = -daysBack; day <= daysAhead; day += 1) await this.#makePartition(nowMs + day * dayMs)
  }

  /** Makes the partitions of these very clicks, as far as there can be one for a click's day. */
  async makePartitionsFor(messages: readonly TakenMessage[]): Promise<void> {
    const days = new Set(
      messages.flatMap(({ clicks }) => clicks.map((click) => Math.floor(timeOfUuidV7(idOf(click)) / dayMs))),
    )
    for (const day of [...days].sort()) {
      try {
        await this.#makePartition(day * dayMs)
      } catch (error) {
        if (verdictOn(error) !== 'refused') throw error
      }
    }
  }

  /** Sums up what has been in the ledger for a minute. Of several processors that do it at once, one does. */
  async foldLedger(): Promise<void> {
    await this.#pool.query(`select fold_ledger(interval '1 minute')`)
  }

  /** Undefined where a copy can't do it. */
  async #copy(batch: ClickBatch): Promise<Counted | undefined> {
    const { clicks } = batch.arranged
    if (!this.#expectsKnown) {
      const copy = batch.copy ?? copyOf(batch.arranged, this.#spareCopies.take())
      // Sent once: whatever becomes of it, another attempt makes another one.
      batch.copy = undefined
      const refusal = await this.#runCopy(copy)
      if (refusal === undefined) {
        // It is committed, so it has been sent to the last byte. One that failed may be on its way yet, and is not written over.
        this.#spareCopies.giveBack(copy)
        return { counted: clicks.length, duplicates: batch.clicks - clicks.length }
      }
      if (refusal === 'message_known') return undefined
      this.#expectsKnown = true
    }
    const known = await this.#knownClicks(batch.arranged)
    this.#expectsKnown = known.size > 0
    const counted = clicks.length - known.size
    const copy = copyOf(batch.arranged, this.#spareCopies.take(), (click) => known.has(click))
    if ((await this.#runCopy(copy)) !== undefined) return undefined
    this.#spareCopies.giveBack(copy)
    return { counted, duplicates: batch.clicks - counted }
  }

  /** What was known already, so that nothing is done; undefined when all is done. */
  async #runCopy(copy: BinaryCopy): Promise<'message_known' | 'click_known' | undefined> {
    const client = await this.#pool.connect()
    let failure: Error | undefined
    try {
      const statement = new CopyStatement(copyStatements, copy.content)
      client.query(statement)
      await statement.done
      return undefined
    } catch (error) {
      const { code, table } = error as DatabaseError
      if (code === uniqueViolation) return table === 'messages' ? 'message_known' : 'click_known'
      failure = error as Error
      throw error
    } finally {
      // Whatever else it was, the connection may still be at it.
      client.release(failure)
    }
  }

  /** A transaction that may bury: the ledger isn't folded meanwhile, as a message that is being folded looks like one never seen. */
  async #bury<Result>(work: (client: PoolClient) => Promise<Result>): Promise<Result> {
    const client = await this.#pool.connect()
    let failure: Error | undefined
    try {
      await client.query('begin')
      await client.query('select hold_ledger()')
      const result = await work(client)
      const { command } = await client.query('commit')
      // COMMIT of a transaction that has failed raises no error, it says ROLLBACK.
      if (command !== 'COMMIT') throw new Error(`the transaction ended with ${command}`)
      return result
    } catch (error) {
      failure = error as Error
      throw error
    } finally {
      // A connection in an unknown state is not used again; the server rolls back what it had begun.
      client.release(failure)
    }
  }

  /** Those that are stored already. */
  async #knownClicks({ clicks }: ArrangedBatch): Promise<Set<TakenClick>> {
    const byKey = new Map<string, TakenClick>()
    const ids = clicks.map(({ click }) => {
      const id = idOf(click)
      byKey.set(keyOf(id, click.projectId), click)
      return id
    })
    const { rows } = await this.#pool.query<{ id: string; project_id: number }>({
      name: 'known-clicks',
      text: 'select id, project_id from clicks where id = any($1::uuid[])',
      values: [ids],
    })
    return new Set(rows.flatMap(({ id, project_id }) => byKey.get(keyOf(id, project_id)) ?? []))
  }

  /** In a statement of its own: a producer's first messages may be at several processors, which would wait for each other. */
  async #noteProducers(messages: readonly TakenMessage[]): Promise<void> {
    const unknown = messages.filter(({ stamp }) => !this.#knownProducers.has(stamp.producer)).map(({ stamp }) => stamp)
    if (unknown.length === 0) return
    const stamps = [...new Map(unknown.map((stamp) => [stamp.producer, stamp])).values()]
    stamps.sort((a, b) => (a.producer < b.producer ? -1 : 1))
    await this.#pool.query(
      `insert into producers (producer, previous, previous_confirmed, previous_unknown)
       select producer, previous, confirmed, unknown::bigint[]
       from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[]) as stamp (producer, previous, confirmed, unknown)
       on conflict (producer) do nothing`,
      [
        stamps.map(({ producer }) => producer),
        stamps.map(({ previous }) => previous?.producer ?? null),
        stamps.map(({ previous }) => previous?.confirmed ?? null),
        stamps.map(({ previous }) => `{${previous?.unknown.join(',') ?? ''}}`),
      ],
    )
    if (this.#knownProducers.size > maxKnownProducers) this.#knownProducers.clear()
    for (const { producer } of stamps) this.#knownProducers.add(producer)
  }

  async #makePartition(timeMs: number): Promise<void> {
    await this.#pool.query('select create_click_partition($1::date)', [new Date(timeMs).toISOString().slice(0, 10)])
  }
}

async function countPart(
  client: PoolClient,
  message: TakenMessage,
  clicks: readonly TakenClick[],
): Promise<CountedDespiteRefusals> {
  const [only] = clicks
  if (only === undefined) return { counted: 0, duplicates: 0, refused: [] }
  await client.query('savepoint part')
  try {
    const counted = await runCountClicks(client, arrange([], clicks))
    await client.query('release part')
    return { counted, duplicates: clicks.length - counted, refused: [] }
  } catch (error) {
    const verdict = verdictOn(error)
    if (verdict === 'wait') throw error
    await client.query('rollback to part')
    await client.query('release part')
    if (clicks.length === 1) return { counted: 0, duplicates: 0, refused: [refusedClick(only, error as Error)] }
  }
  const middle = clicks.length >> 1
  const first = await countPart(client, message, clicks.slice(0, middle))
  const second = await countPart(client, message, clicks.slice(middle))
  return {
    counted: first.counted + second.counted,
    duplicates: first.duplicates + second.duplicates,
    refused: [...first.refused, ...second.refused],
  }
}

function refusedClick(click: TakenClick, error: Error): DeadLetter {
  return deadClick(click, 'refused_by_database', error.message)
}

/** Its first copy, if there was one, may be gone: counted now, it might be counted twice. */
function clickBeforeHorizon(click: TakenClick, keptSinceMs: number): DeadLetter {
  const keptSince = new Date(keptSinceMs).toISOString()
  const detail = `Its id is from before ${keptSince}, since when raw clicks are kept: whether it was counted cannot be told any more.`
  return deadClick(click, 'id_before_horizon', detail)
}

/** Milliseconds since 1970; -Infinity where no raw click was ever dropped. */
async function readKeptSince(client: PoolClient): Promise<number> {
  const { rows } = await client.query<{ kept_since_ms: number }>(
    'select extract(epoch from kept_since) * 1000 as kept_since_ms from raw_clicks',
  )
  const [row] = rows
  if (row === undefined) throw new Error('raw_clicks has no row')
  return row.kept_since_ms
}

function deadClick(click: TakenClick, reason: string, detail: string): DeadLetter {
  return {
    reason,
    detail,
    type: clicksMessageType,
    content: lineOf(click),
    clicks: 1,
    clickIds: [idOf(click)],
    requestId: readAll(click).requestId,
  }
}

/** Returns how many clicks were new. */
async function runCountClicks(queryable: Pick<Pool, 'query'>, { entries, clicks }: ArrangedBatch): Promise<number> {
  const all = clicks.map(({ click }) => readAll(click))
  const letters = entries.flatMap(({ stamp, deadLetters }) => deadLetters.map((letter) => ({ stamp, letter })))
  const { rows } = await queryable.query<{ counted: number }>({
    name: 'count-clicks',
    text: countClicks,
    values: [
      all.map(({ id }) => id),
      all.map(({ projectId }) => projectId),
      all.map(({ occurredAtMs }) => new Date(occurredAtMs).toISOString()),
      all.map(({ receivedAtMs }) => new Date(receivedAtMs).toISOString()),
      all.map(({ bot }) => bot === true),
      all.map(({ target }) => target),
      all.map(({ visitorId }) => visitorId ?? null),
      all.map(({ url }) => url ?? null),
      all.map(({ referrer }) => referrer ?? null),
      all.map(({ props }) => (props === undefined ? null : JSON.stringify(props))),
      clicks.map(({ entry }) => entry),
      entries.map(({ stamp }) => stamp.producer),
      entries.map(({ stamp }) => stamp.sequence),
      entries.map(({ stamp }) => stamp.clicks),
      entries.map(({ clicks }) => clicks.length),
      entries.map(({ before }) => before?.counted ?? 0),
      entries.map(({ before }) => before?.duplicates ?? 0),
      entries.map(({ deadLetters }) => deadLetters.reduce((sum, { clicks }) => sum + clicks, 0)),
      entries.map(({ stamp }) => stamp.settled),
      entries.map(({ stamp }) => stamp.confirmed),
      letters.map(({ stamp }) => stamp.producer),
      letters.map(({ stamp }) => stamp.sequence),
      letters.map(({ letter }) => letter.reason),
      letters.map(({ letter }) => storable(letter.detail)),
      letters.map(({ letter }) => storable(letter.type)),
      letters.map(({ letter }) => letter.content),
      letters.map(({ letter }) => letter.clicks),
      letters.map(({ letter }) => `{${letter.clickIds.join(',')}}`),
      letters.map(({ letter }) => storable(letter.requestId)),
    ],
  })
  return rows[0]?.counted ?? 0
}

/** Text from a message may hold what PostgreSQL can't. */
function storable(text: string | undefined): string | null {
  return text?.slice(0, maxDetailChars).toWellFormed().replaceAll('\0', '\ufffd') ?? null
}

function keyOf(id: string, projectId: number): string {
  return `${id}/${projectId}`
}
