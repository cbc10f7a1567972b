import type { Click } from '@clicktally/contract/click.ts'
import { clicksMessageType, encodeClick } from '@clicktally/contract/clicks-message.ts'
import { timeOfUuidV7 } from '@clicktally/contract/uuid-v7.ts'
import type { Pool, PoolClient } from 'pg'
import { verdictOn } from './failure-policy.ts'
import { countClicks } from './sql/count-clicks.ts'
import type { DeadLetter, TakenMessage } from './taken-message.ts'

const dayMs = 86_400_000
/** Partitions are made this far back (72 h is the window) and ahead (24 h is what an id may be); others when a click needs them. */
const daysBack = 3
const daysAhead = 7
/** Producers whose row is known to be there. Each connection of an ingest is one: far fewer live at a time. */
const maxKnownProducers = 1_000
const maxDetailChars = 500

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

/** A message with what of its clicks was dealt with before, in the same transaction. */
type LedgerEntry = TakenMessage & { readonly before?: Counted }

/** The raw clicks, the counters, the ledger and the dead letters. */
export class ClickStore {
  readonly #pool: Pool
  readonly #knownProducers = new Set<string>()

  constructor(pool: Pool) {
    this.#pool = pool
  }

  /**
   * Stores the clicks whose id is new, adds exactly those to the counters, buries the dead letters, and enters each message
   * in the ledger: one statement, so all or nothing.
   *
   * @throws what PostgreSQL said. After a lost connection it is not known whether it was done; doing it again changes nothing.
   */
  async count(messages: readonly TakenMessage[]): Promise<Counted> {
    await this.#noteProducers(messages)
    const { counted, clicks } = await runCountClicks(this.#pool, messages)
    return { counted, duplicates: clicks - counted }
  }

  /**
   * Does the same with one message, some of whose clicks the database refuses: halves until each of them is alone, and
   * buries it. One transaction, with a savepoint for each attempt, so that the message is accounted for as a whole.
   *
   * @throws what PostgreSQL said, if it was not about a click. Nothing is done then.
   */
  async countDespiteRefusals(message: TakenMessage): Promise<CountedDespiteRefusals> {
    await this.#noteProducers([message])
    const client = await this.#pool.connect()
    let failure: Error | undefined
    try {
      await client.query('begin')
      const { counted, duplicates, refused } = await countPart(client, message, message.clicks)
      const deadLetters = [...message.deadLetters, ...refused]
      await runCountClicks(client, [{ stamp: message.stamp, clicks: [], deadLetters, before: { counted, duplicates } }])
      const { command } = await client.query('commit')
      // COMMIT of a transaction that has failed raises no error, it says ROLLBACK.
      if (command !== 'COMMIT') throw new Error(`the transaction ended with ${command}`)
      return { counted, duplicates, refused }
    } catch (error) {
      failure = error as Error
      throw error
    } finally {
      // A connection in an unknown state is not used again; the server rolls back what it had begun.
      client.release(failure)
    }
  }

  /** Makes the partitions that clicks of these days may need; does nothing where they are. */
  async makePartitionsAround(nowMs: number): Promise<void> {
    for (let day = -daysBack; day <= daysAhead; day += 1) await this.#makePartition(nowMs + day * dayMs)
  }

  /** Makes the partitions of these very clicks, as far as there can be one for a click's day. */
  async makePartitionsFor(messages: readonly TakenMessage[]): Promise<void> {
    const days = new Set(messages.flatMap(({ clicks }) => clicks.map(({ id }) => Math.floor(timeOfUuidV7(id) / dayMs))))
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
  clicks: readonly Click[],
): Promise<CountedDespiteRefusals> {
  const [only] = clicks
  if (only === undefined) return { counted: 0, duplicates: 0, refused: [] }
  await client.query('savepoint part')
  try {
    const { counted } = await runCountClicks(client, [], clicks)
    await client.query('release part')
    return { counted, duplicates: clicks.length - counted, refused: [] }
  } catch (error) {
    const verdict = verdictOn(error)
    if (verdict === 'wait' || verdict === 'away') throw error
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

function refusedClick(click: Click, error: Error): DeadLetter {
  return {
    reason: 'refused_by_database',
    detail: error.message,
    type: clicksMessageType,
    content: Buffer.from(encodeClick(click)),
    clicks: 1,
    clickIds: [click.id],
    requestId: click.requestId,
  }
}

/** @param alone clicks that belong to no message here: their message is entered later in the same transaction. */
async function runCountClicks(
  queryable: Pick<Pool, 'query'>,
  messages: readonly LedgerEntry[],
  alone: readonly Click[] = [],
): Promise<{ counted: number; clicks: number }> {
  const { inOrder, again } = sortMessages(messages)
  const placed = inOrder.flatMap(({ clicks }, index) => clicks.map((click) => ({ click, message: index + 1 })))
  for (const click of [...alone, ...again]) placed.push({ click, message: 0 })
  // In the order of the key: two processors that insert the same ids in different orders would deadlock.
  placed.sort(({ click: a }, { click: b }) => compare(a.id, b.id) || a.projectId - b.projectId)
  const unique = placed.filter(({ click }, index) => {
    const before = placed[index - 1]?.click
    return before === undefined || before.id !== click.id || before.projectId !== click.projectId
  })
  const letters = inOrder.flatMap(({ stamp, deadLetters }) => deadLetters.map((letter) => ({ stamp, letter })))
  const { rows } = await queryable.query<{ counted: number }>({
    name: 'count-clicks',
    text: countClicks,
    values: [
      unique.map(({ click }) => click.id),
      unique.map(({ click }) => click.projectId),
      unique.map(({ click }) => new Date(click.occurredAtMs).toISOString()),
      unique.map(({ click }) => new Date(click.receivedAtMs).toISOString()),
      unique.map(({ click }) => click.bot === true),
      unique.map(({ click }) => click.target),
      unique.map(({ click }) => click.visitorId ?? null),
      unique.map(({ click }) => click.url ?? null),
      unique.map(({ click }) => click.referrer ?? null),
      unique.map(({ click }) => (click.props === undefined ? null : JSON.stringify(click.props))),
      unique.map(({ message }) => message),
      inOrder.map(({ stamp }) => stamp.producer),
      inOrder.map(({ stamp }) => stamp.sequence),
      inOrder.map(({ stamp }) => stamp.clicks),
      inOrder.map(({ clicks }) => clicks.length),
      inOrder.map(({ before }) => before?.counted ?? 0),
      inOrder.map(({ before }) => before?.duplicates ?? 0),
      inOrder.map(({ deadLetters }) => deadLetters.reduce((sum, { clicks }) => sum + clicks, 0)),
      inOrder.map(({ stamp }) => stamp.settled),
      inOrder.map(({ stamp }) => stamp.confirmed),
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
  return { counted: rows[0]?.counted ?? 0, clicks: placed.length }
}

/**
 * Messages by their key. The broker may have delivered one twice: then its ledger entry is made once, and the clicks of the
 * other copy are duplicates.
 */
function sortMessages(messages: readonly LedgerEntry[]): { inOrder: LedgerEntry[]; again: Click[] } {
  const inOrder: LedgerEntry[] = []
  const again: Click[] = []
  const sorted = messages.toSorted(
    (a, b) => compare(a.stamp.producer, b.stamp.producer) || a.stamp.sequence - b.stamp.sequence,
  )
  for (const message of sorted) {
    const before = inOrder.at(-1)?.stamp
    const isAgain = before?.producer === message.stamp.producer && before.sequence === message.stamp.sequence
    if (isAgain) again.push(...message.clicks)
    else inOrder.push(message)
  }
  return { inOrder, again }
}

/** Text from a message may hold what PostgreSQL can't. */
function storable(text: string | undefined): string | null {
  return text?.slice(0, maxDetailChars).toWellFormed().replaceAll('\0', '\ufffd') ?? null
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
