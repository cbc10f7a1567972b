import type { ClickColumn } from '@clicktally/database/click-columns.ts'
import type { DatabaseError, Pool } from 'pg'
import type { BinaryCopy } from '../rows/binary-copy.ts'
import { type ArrangedBatch, type ClickBatch, copyOf, copyStatements } from '../rows/click-batch.ts'
import { type ClickRow, idOf, keyOf } from '../rows/click-row.ts'
import { CopyBufferPool } from '../rows/copy-buffer-pool.ts'
import { CopyStatement } from '../rows/copy-statement.ts'

const uniqueViolation = '23505'

/**
 * Writes batches with COPY: the fast path.
 *
 * It assumes that all clicks are new, as they nearly always are. If the primary key refuses one, it asks the database which ids it
 * knows, leaves these out, and goes on asking until a batch has no duplicate.
 */
export class BatchCopier {
  readonly #pool: Pool
  readonly #statements: string
  readonly #buffers = new CopyBufferPool()
  #expectsKnown = false

  /** @param columns of the clicks' rows */
  constructor(pool: Pool, columns: readonly ClickColumn[]) {
    this.#pool = pool
    this.#statements = copyStatements(columns)
  }

  /** Makes the data of a batch, if it will probably be needed. */
  prepare(batch: ClickBatch): void {
    if (!this.#expectsKnown && batch.isCopyable) batch.copy ??= copyOf(batch.arranged, this.#buffers.acquire())
  }

  /**
   * Returns the clicks that were new, or undefined if the batch has to be written with the statement; nothing is done then.
   *
   * @throws the database error
   */
  async copy(batch: ClickBatch): Promise<readonly ClickRow[] | undefined> {
    const clicks = batch.arranged.clicks.map(({ click }) => click)
    if (!this.#expectsKnown) {
      const copy = batch.copy ?? copyOf(batch.arranged, this.#buffers.acquire())
      // Sent once: another attempt makes its own.
      batch.copy = undefined
      const refusal = await this.#send(copy)
      if (refusal === undefined) {
        // Committed, so it was sent to the last byte. A buffer that failed may still be on its way and must not be overwritten.
        this.#buffers.release(copy)
        return clicks
      }
      if (refusal === 'message_known') return undefined
      this.#expectsKnown = true
    }
    const known = await this.#knownClicks(batch.arranged)
    this.#expectsKnown = known.size > 0
    const copy = copyOf(batch.arranged, this.#buffers.acquire(), (click) => known.has(click))
    if ((await this.#send(copy)) !== undefined) return undefined
    this.#buffers.release(copy)
    return clicks.filter((click) => !known.has(click))
  }

  /** Returns what was known already, so that nothing is done; undefined when everything is done. */
  async #send(copy: BinaryCopy): Promise<'message_known' | 'click_known' | undefined> {
    const client = await this.#pool.connect()
    let failure: Error | undefined
    try {
      const statement = new CopyStatement(this.#statements, copy.content)
      client.query(statement)
      await statement.done
      return undefined
    } catch (error) {
      const { code, table } = error as DatabaseError
      if (code === uniqueViolation) return table === 'messages' ? 'message_known' : 'click_known'
      failure = error as Error
      throw error
    } finally {
      // After any other error the connection may still be busy with the copy.
      client.release(failure)
    }
  }

  /** The clicks that are stored already. */
  async #knownClicks({ clicks }: ArrangedBatch): Promise<Set<ClickRow>> {
    const byKey = new Map<string, ClickRow>()
    const ids = clicks.map(({ click }) => {
      byKey.set(keyOf(click), click)
      return idOf(click)
    })
    const { rows } = await this.#pool.query<{ id: string; project_id: number }>({
      name: 'known-clicks',
      text: 'select id, project_id from clicks where id = any($1::uuid[])',
      values: [ids],
    })
    return new Set(rows.flatMap(({ id, project_id }) => byKey.get(`${id}/${project_id}`) ?? []))
  }
}
