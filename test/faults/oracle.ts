import type { Pool } from 'pg'

/** What the tables say about some clicks, after everything has come to rest. */
export interface Verdict {
  /** |E|: ids that are stored on the targets that were sent to. */
  readonly counted: number
  /** A \ (E ∪ D) */
  readonly lost: readonly string[]
  /** E ∪ D that was never sent. */
  readonly unexpected: readonly string[]
  /** |R − |E||, added up over the targets. */
  readonly overcounted: number
  /** |E \ A|: stored though their 202 never arrived. */
  readonly recovered: number
}

/**
 * Asks the design's oracle. A: ids answered 202. E: ids stored. D: ids in the dead letters. R: the sum of the counters.
 *
 * @param sent all ids that were sent, with their targets; no other may be on these targets.
 * @param lettersAfter the newest dead letter that is from before: D is of those after it.
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

/** The same for all that the database holds: the sum of the differences between each target's counters and its clicks. */
export async function miscounted(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ difference: number }>(`
    select coalesce(sum(abs(coalesce(counted, 0) - coalesce(stored, 0))), 0) as difference
    from (select project_id, target, sum(total + bots) as counted from counters group by 1, 2) counted
    full join (select project_id, target, count(*) as stored from clicks group by 1, 2) stored using (project_id, target)`)
  return rows[0]?.difference ?? Number.NaN
}
