import type { Tables } from '@clicktally/database/tables.ts'
import type { PublicCounter } from '@clicktally/operations/owner/public-counter-operations.ts'
import type { Kysely, Selectable } from 'kysely'
import { type Actor, audit } from '../audit/audit-log.ts'
import { problem } from '../errors.ts'
import { projectNamed } from '../projects/projects.ts'
import { randomSlug } from '../random-slug.ts'

interface PublicCounterRequest {
  readonly slug?: string
  readonly project?: string
  readonly target?: string
  readonly days?: number
  readonly label?: string
}

type Row = Selectable<Tables['public_counters']> & { readonly project: string }

export async function listPublicCounters(db: Kysely<Tables>, project: string | undefined): Promise<PublicCounter[]> {
  const rows = await db
    .selectFrom('public_counters')
    .innerJoin('projects', 'projects.id', 'public_counters.project_id')
    .selectAll('public_counters')
    .select('projects.name as project')
    .$if(project !== undefined, (query) => query.where('projects.name', '=', project as string))
    .orderBy('slug')
    .execute()
  return rows.map(publicCounterOf)
}

/** @throws {ServiceProblem} project_unknown, slug_taken */
export async function createPublicCounter(
  db: Kysely<Tables>,
  actor: Actor,
  { slug = randomSlug(), project = 'default', target, days, label = 'clicks' }: PublicCounterRequest,
): Promise<PublicCounter> {
  return await db.transaction().execute(async (transaction) => {
    const { id: project_id } = await projectNamed(transaction, project)
    const row = await transaction
      .insertInto('public_counters')
      .values({ slug, project_id, target: target ?? null, days: days ?? null, label })
      .onConflict((conflict) => conflict.column('slug').doNothing())
      .returningAll()
      .executeTakeFirst()
    if (row === undefined)
      throw problem('slug_taken', `There is a public counter "${slug}" already.`, { field: 'slug' })
    await audit(transaction, actor, 'public-counter.create', slug, { project, target, days, label })
    return publicCounterOf({ ...row, project })
  })
}

/** @throws {ServiceProblem} public_counter_not_found */
export async function deletePublicCounter(db: Kysely<Tables>, actor: Actor, slug: string): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    const row = await transaction
      .deleteFrom('public_counters')
      .where('slug', '=', slug)
      .returning('target')
      .executeTakeFirst()
    if (row === undefined) throw problem('public_counter_not_found', `There is no public counter "${slug}".`)
    await audit(transaction, actor, 'public-counter.delete', slug, { target: row.target })
  })
}

function publicCounterOf({ slug, project, target, days, label, created_at }: Row): PublicCounter {
  return { slug, project, target, days, label, createdAt: created_at.toISOString() }
}
