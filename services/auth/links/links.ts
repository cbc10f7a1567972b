import type { Tables } from '@clicktally/database/tables.ts'
import type { Link } from '@clicktally/operations/owner/link-operations.ts'
import type { Kysely, Selectable } from 'kysely'
import { type Actor, audit } from '../audit/audit-log.ts'
import { problem } from '../errors.ts'
import { projectNamed } from '../projects/projects.ts'
import { randomSlug } from '../random-slug.ts'

/** Links of an installation: each snapshot for the ingests contains all of them. */
const maxLinks = 1_000

interface LinkRequest {
  readonly slug?: string
  readonly url: string
  readonly target?: string
  readonly project?: string
}

type Row = Selectable<Tables['links']> & { readonly project: string }

export async function listLinks(db: Kysely<Tables>, project: string | undefined): Promise<Link[]> {
  const rows = await db
    .selectFrom('links')
    .innerJoin('projects', 'projects.id', 'links.project_id')
    .selectAll('links')
    .select('projects.name as project')
    .$if(project !== undefined, (query) => query.where('projects.name', '=', project as string))
    .orderBy('slug')
    .execute()
  return rows.map(linkOf)
}

/** @throws {ServiceProblem} project_unknown, url_invalid, slug_taken, too_many_links */
export async function createLink(
  db: Kysely<Tables>,
  actor: Actor,
  { slug = randomSlug(), url, target = `link: ${slug}`, project = 'default' }: LinkRequest,
): Promise<Link> {
  const allowed = readUrl(url)
  return await db.transaction().execute(async (transaction) => {
    const { id: project_id } = await projectNamed(transaction, project)
    const { count } = await transaction
      .selectFrom('links')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow()
    if (count >= maxLinks) throw problem('too_many_links', `An installation can have ${maxLinks} links.`)
    const row = await transaction
      .insertInto('links')
      .values({ slug, project_id, target, url: allowed })
      .onConflict((conflict) => conflict.column('slug').doNothing())
      .returningAll()
      .executeTakeFirst()
    if (row === undefined) throw problem('slug_taken', `There is a link "${slug}" already.`, { field: 'slug' })
    await audit(transaction, actor, 'link.create', slug, { project, target, url: allowed })
    return linkOf({ ...row, project })
  })
}

/** @throws {ServiceProblem} link_not_found */
export async function deleteLink(db: Kysely<Tables>, actor: Actor, slug: string): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    const row = await transaction.deleteFrom('links').where('slug', '=', slug).returning('url').executeTakeFirst()
    if (row === undefined) throw problem('link_not_found', `There is no link "${slug}".`)
    await audit(transaction, actor, 'link.delete', slug, { url: row.url })
  })
}

/** @throws {ServiceProblem} url_invalid */
function readUrl(text: string): string {
  const url = URL.parse(text)
  const isAllowed = url !== null && ['https:', 'http:'].includes(url.protocol) && url.username + url.password === ''
  // Normalized it can be longer, as each character of another alphabet is escaped.
  if (isAllowed && url.href.length <= 2_048) return url.href
  throw problem(
    'url_invalid',
    `"${text.slice(0, 64)}" is not a URL to lead to. Give one as in https://shop.example/spring.`,
    {
      field: 'url',
    },
  )
}

function linkOf({ slug, project, target, url, created_at }: Row): Link {
  return { slug, project, target, url, createdAt: created_at.toISOString() }
}
