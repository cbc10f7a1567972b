import { ClickRows, dimensionSources, hourOf } from '@clicktally/columns/click-rows.ts'
import { maxPartRows } from '@clicktally/columns/column.ts'
import { CopyOut } from '@clicktally/database/copy-out.ts'
import type { Dimension } from '@clicktally/dimensions/dimensions.ts'
import type { Pool, PoolClient } from 'pg'
import { ColumnWriter } from './column-writer.ts'
import { declaredProps, NewlyDeclaredProps } from './declared-props.ts'
import { encodePart } from './part-encoder.ts'
import { ProjectValues } from './project-values.ts'
import { nextStaleHours, releaseHours, type StaleHour } from './stale-hours.ts'
import { markSumsStale, sumNextPeriod } from './sums.ts'

/** With more deltas than this, folding has not caught up, and packing would take its time. */
const backlogDeltas = 20_000
/** Of texts and values of all projects, together. */
const maxRememberedBytes = 32 * 1024 * 1024
const minuteMs = 60_000
const hourMs = 3_600_000

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
  readonly #values = new Map<number, ProjectValues>()
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
        const hours = await nextStaleHours(writer)
        return hours.length === 0 ? undefined : await this.#packHours(writer, hours)
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
        this.#values.clear()
        // If this fails as well, the connection is lost, and with it the transaction.
        await writer.query('rollback').catch(() => {})
        throw error
      }
    })
  }

  async #packHours(writer: PoolClient, hours: readonly StaleHour[]): Promise<number> {
    const projectIds = [...new Set(hours.map(({ projectId }) => projectId))]
    await writer.query(
      `delete from click_columns as packed using unnest($1::int[], $2::timestamptz[]) as stale (project_id, hour)
       where packed.project_id = stale.project_id and packed.hour = stale.hour`,
      [hours.map(({ projectId }) => projectId), hours.map(({ hour }) => hour)],
    )
    await markSumsStale(writer, hours)
    const props = await declaredProps(writer, projectIds)
    const valuesOf = (projectId: number) => this.#valuesOf(projectId, props.get(projectId) ?? [])
    const packing = new Map(
      hours.map((stale) => [
        keyOf(stale.projectId, stale.hour.getTime() / hourMs),
        new PackedHour(stale, valuesOf(stale.projectId)),
      ]),
    )
    const columns = new ColumnWriter(writer)
    // One part after the other: two of a project would look up the same new values.
    let written = Promise.resolve()
    const write = (packed: PackedHour) => {
      const { projectId, rows, values, hour, part } = packed
      if (rows === undefined) return written
      // While they are written, the next clicks come into another part.
      packed.begin(valuesOf(projectId))
      written = written.then(async () =>
        columns.add({ projectId, hour, part }, await encodePart(writer, values, rows, hour.getTime() / minuteMs)),
      )
      return written
    }
    let clicks = 0
    await this.#connected(async (reader) => {
      const copy = new CopyOut(clicksOf(hours, projectIds, props), (bytes, at) => {
        const packed = packing.get(keyOf(bytes.readInt32BE(at + 4), hourOf(bytes, at + 8)))
        if (packed === undefined) return
        packed.add(bytes, at + 8)
        clicks += 1
        return packed.rows?.size === maxPartRows ? write(packed) : undefined
      })
      reader.query(copy)
      await copy.done
    })
    for (const packed of packing.values()) await write(packed)
    await columns.end()
    await releaseHours(writer, hours)
    return clicks
  }

  /** What is remembered of a project, or a new start if it has declared other props, or if too much is remembered. */
  #valuesOf(projectId: number, props: readonly Dimension[]): ProjectValues {
    let bytes = 0
    for (const { texts } of this.#values.values()) bytes += texts.bytes
    if (bytes > maxRememberedBytes) this.#values.clear()
    let values = this.#values.get(projectId)
    if (values?.hasProps(props) !== true) {
      values = new ProjectValues(projectId, props)
      this.#values.set(projectId, values)
    }
    return values
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

/** An hour of a project, and what is read of it and not yet written. */
class PackedHour {
  readonly projectId: number
  readonly hour: Date
  values: ProjectValues
  /** Undefined before the first click. */
  rows: ClickRows | undefined
  /** The number of the part that the rows will be. */
  part = 0

  constructor({ projectId, hour }: StaleHour, values: ProjectValues) {
    this.projectId = projectId
    this.hour = hour
    this.values = values
  }

  /** @param at where the fields of the click begin */
  add(bytes: Buffer, at: number): void {
    this.rows ??= new ClickRows(dimensionSources, this.values.texts)
    this.rows.add(bytes, at)
  }

  /** Begins another part. */
  begin(values: ProjectValues): void {
    this.values = values
    this.rows = undefined
    this.part += 1
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

/** The clicks of these hours, and of other projects in them, as the fields that ClickRows reads behind the project. */
function clicksOf(
  hours: readonly StaleHour[],
  projectIds: readonly number[],
  props: ReadonlyMap<number, readonly Dimension[]>,
): string {
  const starts = [...new Set(hours.map(({ hour }) => hour.getTime()))].sort((a, b) => a - b)
  const pieces: { fromMs: number; toMs: number }[] = []
  for (const fromMs of starts) {
    const last = pieces.at(-1)
    if (last?.toMs === fromMs) last.toMs += hourMs
    else pieces.push({ fromMs, toMs: fromMs + hourMs })
  }
  const time = (ms: number) => `'${new Date(ms).toISOString()}'`
  const within = pieces.map(({ fromMs, toMs }) => `occurred_at >= ${time(fromMs)} and occurred_at < ${time(toMs)}`)
  const hasProps = [...props.values()].some((declared) => declared.length > 0)
  const sources = dimensionSources.map((source) => (source === 'props' && !hasProps ? 'null::jsonb' : source))
  return `copy (
    select project_id, occurred_at, bot, visitor, ${sources.join(', ')} from attributed_clicks
    where (${within.join(' or ')}) and project_id in (${projectIds.join(', ')})
  ) to stdout (format binary)`
}

function keyOf(projectId: number, hour: number): number {
  return projectId * 2 ** 22 + hour
}
