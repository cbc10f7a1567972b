import type { Pool } from 'pg'

export interface FoundLetter {
  readonly id: number
  readonly reason: string
  readonly detail: string
  readonly type: string | null
  readonly content: Buffer
  readonly clicks: number
  readonly clickIds: readonly string[]
}

/** The id of the newest dead letter, 0 if there is none. */
export async function newestLetter(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ newest: number }>('select coalesce(max(id), 0) as newest from dead_letters')
  return rows[0]?.newest ?? 0
}

/** Dead letters newer than the given one, oldest first. */
export async function lettersSince(pool: Pool, id: number): Promise<FoundLetter[]> {
  const { rows } = await pool.query<FoundLetter>(
    `select id, reason, detail, type, content, clicks, click_ids as "clickIds"
     from dead_letters where id > $1 order by id`,
    [id],
  )
  return rows
}
