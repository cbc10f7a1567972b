import type { ClickColumn } from '@clicktally/database/click-columns.ts'
import { committedDurably } from '@clicktally/database/durable-commit.ts'
import type { DatabaseError, Pool, PoolClient } from 'pg'
import type { BinaryCopy } from '../rows/binary-copy.ts'
import { type ArrangedBatch, type ClickBatch, copyOf, copyStatements } from '../rows/click-batch.ts'
import { type ClickRow, idOf, keyOf } from '../rows/click-row.ts'
import { CopyBufferPool } from '../rows/copy-buffer-pool.ts'
import { CopyStatement } from '../rows/copy-statement.ts'
import { RecentClicks } from './recent-clicks.ts'

const uniqueViolation = '23505'

/**
 * Writes batches with COPY: the fast path.
 *
 * It assumes that all clicks are new, as they nearly always are. If the primary key refuses one, it asks the database which ids it
 * knows, leaves these out, and goes on asking until a batch has no duplicate. From then on it also remembers what it stored, and asks
 * the database only if that does not explain the duplicates.
 */
export class BatchCopier {
  readonly #pool: Pool
  readonly #statements: string
  readonly #buffers = new CopyBufferPool()
  #recent: RecentClicks | undefined
  /** Whether clicks may be known that are not among the recent ones. */
  #expectsKnown = false
  #lastHadKnown = false

  /** @param columns of the clicks' rows */
  constructor(pool: Pool, columns: readonly ClickColumn[]) {
    this.#pool = pool
    this.#statements = copyStatements(columns)
    // Another server may have taken over, without the last clicks.
    pool.on('connect', () => this.#recent?.clear())
  }

  /** Makes the data of a batch, if it will probably be needed. */
  prepare(batch: ClickBatch): void {
    if (this.#expectsKnown || !batch.isCopyable || batch.prepared !== undefined) return
    // It will probably repeat clicks of the batch that is being stored now, so that it would have to be made again.
    if (this.#lastHadKnown) return
    const known = this.#recentlyStored(batch)
    batch.prepared = { copy: this.#copyOf(batch, known), known: known.size }
  }

  /**
   * Returns the clicks that were new, or undefined if the batch has to be written with the statement; nothing is done then.
   *
   * @throws the database error
   */
  async copy(batch: ClickBatch): Promise<readonly ClickRow[] | undefined> {
    const client = await this.#pool.connect()
    let failure: Error | undefined
    try {
      return await this.#copyWith(client, batch)
    } catch (error) {
      failure = error as Error
      this.#recent?.clear()
      throw error
    } finally {
      // After an error the connection may still be busy with the copy.
      client.release(failure)
    }
  }

  async #copyWith(client: PoolClient, batch: ClickBatch): Promise<readonly ClickRow[] | undefined> {
    // Again: the batch before has been stored since this one was prepared, and the connection may be a new one.
    const known = this.#recentlyStored(batch)
    this.#lastHadKnown = known.size > 0
    if (!this.#expectsKnown) {
      const { prepared } = batch
      // Sent once: another attempt makes its own.
      batch.prepared = undefined
      const isCurrent = prepared?.known === known.size
      if (prepared !== undefined && !isCurrent) this.#buffers.release(prepared.copy)
      const copy = isCurrent ? prepared.copy : this.#copyOf(batch, known)
      const refusal = await this.#send(client, copy)
      if (refusal === undefined) return this.#stored(batch, known, copy)
      if (refusal === 'message_known') return undefined
      this.#expectsKnown = true
      this.#recent ??= new RecentClicks()
    }
    const stored = await this.#storedClicks(client, batch.arranged, known)
    this.#expectsKnown = stored.length > 0
    for (const click of stored) known.add(click)
    const copy = this.#copyOf(batch, known)
    return (await this.#send(client, copy)) === undefined ? this.#stored(batch, known, copy) : undefined
  }

  #recentlyStored({ arranged }: ClickBatch): Set<ClickRow> {
    const known = new Set<ClickRow>()
    if (this.#recent === undefined) return known
    for (const { click } of arranged.clicks) if (this.#recent.has(click)) known.add(click)
    return known
  }

  #copyOf({ arranged }: ClickBatch, known: ReadonlySet<ClickRow>): BinaryCopy {
    return copyOf(arranged, this.#buffers.acquire(), known.size === 0 ? undefined : (click) => known.has(click))
  }

  /** Returns the clicks of a batch that was committed. */
  #stored({ arranged }: ClickBatch, known: ReadonlySet<ClickRow>, copy: BinaryCopy): readonly ClickRow[] {
    // It was sent to the last byte. A buffer that failed may still be on its way and must not be overwritten.
    this.#buffers.release(copy)
    const clicks = arranged.clicks.flatMap(({ click }) => (known.has(click) ? [] : click))
    this.#recent?.add(clicks)
    return clicks
  }

  /** Returns what was known already, so that nothing is done; undefined when everything is done. */
  async #send(client: PoolClient, copy: BinaryCopy): Promise<'message_known' | 'click_known' | undefined> {
    const statement = new CopyStatement(this.#statements, copy.content)
    try {
      await committedDurably(client, () => {
        client.query(statement)
        return statement.done
      })
      return undefined
    } catch (error) {
      const { code, table } = error as DatabaseError
      if (code === uniqueViolation) return table === 'messages' ? 'message_known' : 'click_known'
      throw error
    }
  }

  /** The clicks that are stored already, besides those that are known to be. */
  async #storedClicks(
    client: PoolClient,
    { clicks }: ArrangedBatch,
    known: ReadonlySet<ClickRow>,
  ): Promise<ClickRow[]> {
    const byKey = new Map<string, ClickRow>()
    const ids: string[] = []
    for (const { click } of clicks) {
      if (known.has(click)) continue
      byKey.set(keyOf(click), click)
      ids.push(idOf(click))
    }
    const { rows } = await client.query<{ id: string; project_id: number }>({
      name: 'known-clicks',
      text: 'select id, project_id from clicks where id = any($1::uuid[])',
      values: [ids],
    })
    return rows.flatMap(({ id, project_id }) => byKey.get(`${id}/${project_id}`) ?? [])
  }
}
