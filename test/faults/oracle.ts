import type { Pool } from 'pg'

/** What the tables contain about some clicks, after the system has settled. */
export interface Verdict {
  /** |E|: stored ids on the targets of the clicks that were sent. */
  readonly counted: number
  /** A \ (E ∪ D) */
  readonly lost: readonly string[]
  /** Ids in E ∪ D that were never sent. */
  readonly unexpected: readonly string[]
  /** The sum over the targets of the absolute difference between R and |E|. */
  readonly overcounted: number
  /** |E \ A|: stored, but the client received no 202. */
  readonly recovered: number
}

/**
 * Compares the tables with what was sent. A: ids answered with 202. E: stored ids. D: ids in the dead letters. R: the sum of the
 * counters.
 *
 * @param sent all ids that were sent, with their targets; these targets must have no other ids.
 * @param lettersAfter id of the newest dead letter before the first click was sent: D contains only later ones.
 */
export async function askOracle(
  pool: Pool,
  sent: ReadonlyMap<string, string>,
  accepted: ReadonlySet<string>,
  lettersAfter: number,
): Promise<Verdict> {
  const targets = [...new Set(sent.values())]
  const clicks = await pool.query<{ id: string; target: string }>(
    'select id, target from clicks where target = any($1)',
    [targets],
  )
  const letters = await pool.query<{ id: string }>(
    'select unnest(click_ids) as id from dead_letters where id > $1 and resolution is null',
    [lettersAfter],
  )
  const counters = await pool.query<{ target: string; counted: number }>(
    'select target, sum(total + bots) as counted from counters where target = any($1) group by target',
    [targets],
  )
  const stored = new Set(clicks.rows.map(({ id }) => id))
  const dead = new Set(letters.rows.map(({ id }) => id))
  const difference = new Map(counters.rows.map(({ target, counted }) => [target, counted]))
  for (const { target } of clicks.rows) difference.set(target, (difference.get(target) ?? 0) - 1)
  return {
    counted: stored.size,
    lost: [...accepted].filter((id) => !stored.has(id) && !dead.has(id)),
    unexpected: [...stored.union(dead)].filter((id) => !sent.has(id)),
    overcounted: difference.values().reduce((sum, each) => sum + Math.abs(each), 0),
    recovered: stored.difference(accepted).size,
  }
}

/** The same for the whole database: the sum over all targets of the difference between the counters and the clicks. */
export async function miscounted(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ difference: number }>(`
    select coalesce(sum(abs(coalesce(counted, 0) - coalesce(stored, 0))), 0) as difference
    from (select project_id, target, sum(total + bots) as counted from counters group by 1, 2) counted
    full join (select project_id, target, count(*) as stored from clicks group by 1, 2) stored using (project_id, target)`)
  return rows[0]?.difference ?? Number.NaN
}
