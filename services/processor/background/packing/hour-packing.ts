import { ClickRows, dimensionSources } from '@clicktally/columns/click-rows.ts'
import { maxPartRows } from '@clicktally/columns/column.ts'
import { CopyOut } from '@clicktally/database/copy-out.ts'
import { type Dimension, dimensions } from '@clicktally/dimensions/dimensions.ts'
import type { Pool, PoolClient } from 'pg'
import { declaredProps, NewlyDeclaredProps } from './declared-props.ts'
import { DimensionIds } from './dimension-ids.ts'
import { encodePart, type Part } from './part-encoder.ts'
import { nextStaleHour, releaseHour, type StaleHour } from './stale-hours.ts'
import { markSumsStale, sumNextPeriod } from './sums.ts'

/** With more deltas than this, folding has not caught up, and packing would take its time. */
const backlogDeltas = 20_000
const millisecondsPerMinute = 60_000
const millisecondsPerHour = 3_600_000

export interface HourPackingOptions {
  /** With two connections: one reads clicks, the other writes columns. */
  readonly pool: Pool
}

/**
 * Writes the clicks of hours that are over as columns (decision 0027): those that were never packed, and those that have got late
 * clicks since. An hour is made anew from its clicks each time.
 *
 * It needs no lock against folds. The mark of an hour in `stale_hours` is read before the clicks, and removed only if no fold has
 * changed it since. A click whose delta was folded before is thus in the columns; a click whose delta is folded later marks the
 * hour again; and until then readers see the delta, and do not use the columns.
 */
export class HourPacking {
  readonly #options: HourPackingOptions
  readonly #ids = new DimensionIds()
  readonly #newProps: NewlyDeclaredProps
  readonly #clients = new Set<PoolClient>()
  #closed = false

  constructor(options: HourPackingOptions) {
    this.#options = options
    this.#newProps = new NewlyDeclaredProps(options.pool)
  }

  /**
   * Packs hours, and then sums days and months, until none is due, folds have a backlog, or another process is packing.
   *
   * @returns the number of clicks that were packed
   * @throws the database error. Readers then still read the clicks of that hour.
   */
  async pack(): Promise<number> {
    await this.#newProps.markHours()
    let clicks = 0
    for (;;) {
      const packed = await this.#inTransaction(async (writer) => {
        const stale = await nextStaleHour(writer)
        return stale === undefined ? undefined : await this.#packHour(writer, stale)
      })
      if (packed === undefined || this.#closed) break
      clicks += packed
    }
    while (!this.#closed && (await this.#inTransaction(sumNextPeriod)) !== undefined);
    return clicks
  }

  /** Aborts. Another process, or the next start, continues. */
  close(): void {
    this.#closed = true
    for (const client of this.#clients) client.release(new Error('the process is stopping'))
    this.#clients.clear()
  }

  /** Does a step that no other process does at the same time. Undefined if one does, or if folds have a backlog. */
  async #inTransaction<Result>(act: (writer: PoolClient) => Promise<Result | undefined>): Promise<Result | undefined> {
    return await this.#connected(async (writer) => {
      await writer.query(`begin; set local idle_in_transaction_session_timeout = '120s'; set local timezone = 'UTC'`)
      try {
        const result = (await isFree(writer)) ? await act(writer) : undefined
        await writer.query('commit')
        return result
      } catch (error) {
        this.#ids.forget()
        // If this fails as well, the connection is lost, and with it the transaction.
        await writer.query('rollback').catch(() => {})
        throw error
      }
    })
  }

  async #packHour(writer: PoolClient, stale: StaleHour): Promise<number> {
    const { hour, projects } = stale
    const projectIds = projects.map(({ projectId }) => projectId)
    await writer.query('delete from click_columns where project_id = any($1) and hour = $2', [projectIds, hour])
    await markSumsStale(writer, projectIds, hour)
    const props = await declaredProps(writer, projectIds)
    const packing = new Map(
      projectIds.map((id) => [id, new ProjectHour(id, [...dimensions, ...(props.get(id) ?? [])])]),
    )
    const write = async (project: ProjectHour, rows: ClickRows) => {
      const part = await encodePart(
        rows,
        hour.getTime() / millisecondsPerMinute,
        project.dimensions,
        (dimension, values) => this.#ids.idsOf(writer, project.id, dimension, values),
      )
      await insertPart(writer, project.id, hour, project.parts, part)
      project.parts += 1
    }
    let clicks = 0
    await this.#connected(async (reader) => {
      const end = new Date(hour.getTime() + millisecondsPerHour)
      const copy = new CopyOut(
        `copy (
           select project_id, occurred_at, bot, visitor, ${dimensionSources.join(', ')} from attributed_clicks
           where occurred_at >= '${hour.toISOString()}' and occurred_at < '${end.toISOString()}'
             and project_id in (${projectIds.join(', ')})
         ) to stdout (format binary)`,
        (bytes, at) => {
          const project = packing.get(bytes.readInt32BE(at + 4))
          if (project === undefined) return
          project.rows.add(bytes, at + 8)
          clicks += 1
          return project.rows.size < maxPartRows ? undefined : write(project, project.takeRows())
        },
      )
      reader.query(copy)
      await copy.done
    })
    for (const project of packing.values()) if (project.rows.size > 0) await write(project, project.rows)
    await releaseHour(writer, stale)
    return clicks
  }

  /** Runs with a connection, which close() takes away. */
  async #connected<Result>(act: (client: PoolClient) => Promise<Result>): Promise<Result> {
    const client = await this.#options.pool.connect()
    this.#clients.add(client)
    let failure: Error | undefined
    try {
      return await act(client)
    } catch (error) {
      failure = error as Error
      throw error
    } finally {
      if (this.#clients.delete(client)) client.release(failure)
    }
  }
}

/** What is read of a project's hour and not yet written. */
class ProjectHour {
  readonly id: number
  readonly dimensions: readonly Dimension[]
  rows = new ClickRows(dimensionSources)
  /** Written. */
  parts = 0

  constructor(id: number, dimensions: readonly Dimension[]) {
    this.id = id
    this.dimensions = dimensions
  }

  /** The rows so far. While they are written, the next ones come into others. */
  takeRows(): ClickRows {
    const { rows } = this
    this.rows = new ClickRows(dimensionSources)
    return rows
  }
}

/** Whether this transaction may pack: no other does, and folds have no backlog. */
async function isFree(client: PoolClient): Promise<boolean> {
  // Taking the lock needs no right, so any role could. That would delay packing, and make no answer wrong.
  const { rows } = await client.query<{ is_free: boolean }>(
    `select pg_try_advisory_xact_lock(hashtext('clicktally pack hours'))
       and not exists (select from counter_deltas offset $1) as is_free`,
    [backlogDeltas],
  )
  return rows[0]?.is_free === true
}

async function insertPart(client: PoolClient, projectId: number, hour: Date, part: number, columns: Part) {
  const rows = [...columns].map((_, index) => `($1, $2, $3, $${4 + 2 * index}, $${5 + 2 * index})`)
  await client.query(`insert into click_columns (project_id, hour, part, dimension, data) values ${rows.join(', ')}`, [
    projectId,
    hour,
    part,
    ...[...columns].flat(),
  ])
}
