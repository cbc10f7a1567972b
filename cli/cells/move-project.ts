import { setTimeout as sleep } from 'node:timers/promises'
import type { Tables } from '@clicktally/database/tables.ts'
import type { Project } from '@clicktally/operations/owner/project-operations.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import { type Kysely, sql } from 'kysely'
import type { HttpApi } from '../api/http-api.ts'
import { CliError } from '../cli-error.ts'
import type { LetterPublisher } from '../letters/letter-publisher.ts'
import { type Copied, copyClicks, countedThroughMs, untilCountedThrough } from './copy-clicks.ts'

/** Before the move is announced, rounds of copying are repeated while they copy more than this. */
const fewClicks = 20_000
/** Time for every ingest to receive a key snapshot, of which one is published every 15 s, and to have its last clicks confirmed. */
const quietMs = 30_000

export interface MoveOptions {
  readonly api: Pick<HttpApi, 'call'>
  readonly project: Project
  /** The name of the target. */
  readonly to: string
  readonly source: Kysely<Tables>
  readonly target: Kysely<Tables>
  /** To the queue of the target. */
  readonly publisher: LetterPublisher
  readonly say: (line: string) => void
}

/**
 * Moves a project to another cell while clicks arrive and are read. Each step may be repeated, so a move that was interrupted goes on when the
 * command runs again.
 *
 * 1. Copy what the target does not have, until little is left.
 * 2. Announce: from here on `asOf` stands still. Wait until every api knows.
 * 3. New clicks go to the target.
 * 4. Copy until a whole comparison finds nothing missing, the source has counted everything, and it has received no click of the project
 *    for 30 s: every ingest knows the target then.
 * 5. The target is read.
 *
 * @returns what the last comparison found
 * @throws {CliError}
 */
export async function moveProject(options: MoveOptions): Promise<Copied> {
  const { api, project, to, source, target, publisher, say } = options
  const { id } = await projectIn(source, project.name)
  await untilKnown(target, id, project.name)
  if (project.cell !== to) refuseWithAge(project)
  const switched = `New clicks go to ${to} already.`
  let outcome = project.cell === to ? switched : 'It stays where it is.'
  await refuseWithoutClicks(source, id, outcome)
  await refuseTooOld(source, target, id)
  const copy = async () => {
    const round = await copyClicks({ from: source, to: target, publisher, projectId: id })
    if (round.copied > 0) await refuseNotCounted(target, id)
    // A janitor closes clicks before it removes any: without closed ones, the comparison has seen all.
    await refuseWithoutClicks(source, id, outcome)
    say(`compared ${formatCount(round.compared)} clicks, copied ${formatCount(round.copied)}`)
    return round
  }
  const step = (cell: string, state: 'announced' | 'moving' | 'settled') =>
    api.call('moveProject', { params: { name: project.name }, body: { cell, state } })

  while ((await copy()).copied > fewClicks);
  if (project.cell !== to) {
    const announced = await step(project.cell, 'announced')
    // Until here it could be set; from here on auth refuses it.
    if (announced.keepRawDays !== null) await step(project.cell, 'settled')
    refuseWithAge(announced)
    outcome = `Give the move up: projects move ${project.name} --to ${project.cell}`
    const waitMs = Date.parse(announced.moving?.since ?? '') + 61_000 - Date.now()
    say('the move is announced; answers about the project say that they may lack clicks')
    await sleep(Math.max(0, waitMs))
    await copy()
    await step(to, 'moving')
    say(`new clicks go to ${to}`)
  }
  outcome = switched
  const switchedAtMs = Date.now()
  for (;;) {
    await untilCountedThrough(source, Math.max(switchedAtMs + quietMs, Date.now() - quietMs))
    const throughMs = await countedThroughMs(source)
    const round = await copy()
    await refuseDeadLetters(source, id)
    if (round.copied === 0 && round.receivedThroughMs < throughMs - quietMs) {
      await step(to, 'settled')
      return round
    }
    await sleep(1_000)
  }
}

async function projectIn(db: Kysely<Tables>, name: string): Promise<{ readonly id: number }> {
  const row = await db.selectFrom('projects').select('id').where('name', '=', name).executeTakeFirst()
  if (row === undefined)
    throw new CliError(`The cell has no project "${name}" yet. Does auth know it (CELL_DATABASE_URLS)?`)
  return row
}

/** Auth copies projects to all cells, at the latest after 15 s. */
async function untilKnown(target: Kysely<Tables>, id: number, name: string): Promise<void> {
  const deadlineMs = performance.now() + 30_000
  while ((await target.selectFrom('projects').select('id').where('id', '=', id).executeTakeFirst()) === undefined) {
    if (performance.now() > deadlineMs) await projectIn(target, name)
    await sleep(500)
  }
}

/** @throws {CliError} if janitors could remove raw clicks while they are compared */
function refuseWithAge({ name, keepRawDays }: Project): void {
  if (keepRawDays === null) return
  throw new CliError(
    `Raw clicks of the project are removed after ${keepRawDays} days, perhaps before they are copied. Run "projects change ${name} --keep-raw-days forever", then this command again, and set the age when it has ended.`,
  )
}

/** @throws {CliError} if the target would refuse some of the clicks, because of their age */
async function refuseTooOld(source: Kysely<Tables>, target: Kysely<Tables>, projectId: number): Promise<void> {
  const { rows: horizons } = await sql<{ kept_since: Date | number }>`
    select greatest(kept_since, (select kept_since from project_horizons where project_id = ${projectId})) as kept_since
    from raw_clicks`.execute(target)
  const keptSince = horizons[0]?.kept_since
  if (!(keptSince instanceof Date)) return
  const { rows: first } = await sql<{ is_older: boolean }>`
    select uuid_extract_timestamp(id) < ${keptSince} as is_older
    from clicks where project_id = ${projectId} order by id limit 1`.execute(source)
  if (first[0]?.is_older !== true) return
  throw new CliError(
    `The project has clicks from before ${keptSince.toISOString()}. The new cell has removed its raw clicks of that time and accepts no others. The project stays where it is.`,
  )
}

/** @throws {CliError} if clicks became dead letters in the target: sent again, they would become others */
async function refuseNotCounted(target: Kysely<Tables>, projectId: number): Promise<void> {
  const { rows } = await sql<{ letters: number }>`
    select count(*)::int as letters from dead_letters
    where resolution is null and ${projectId} = any (click_projects)`.execute(target)
  const letters = rows[0]?.letters ?? 0
  if (letters > 0) {
    throw new CliError(
      `The new cell has ${formatCount(letters)} dead letters with clicks of this project, so they are not counted there. "dead list" there says why. Replay or discard them there, then run the command again: it goes on.`,
    )
  }
}

/**
 * @param outcome what that means for the move
 * @throws {CliError} if raw clicks are gone, or may be soon: their counters cannot be made anew
 */
async function refuseWithoutClicks(source: Kysely<Tables>, projectId: number, outcome: string): Promise<void> {
  const { rows } = await sql<{ is_complete: boolean }>`
    select not exists (select from raw_clicks where kept_since > '-infinity')
      and not exists (select from project_horizons where project_id = ${projectId}) as is_complete`.execute(source)
  if (rows[0]?.is_complete !== true) {
    throw new CliError(
      `The project has counts whose raw clicks were archived or removed, and only raw clicks can be moved. ${outcome}`,
    )
  }
}

/** @throws {CliError} if a dead letter of the source may have clicks of the project: replayed there, they would be counted in the wrong cell */
async function refuseDeadLetters(source: Kysely<Tables>, projectId: number): Promise<void> {
  const { rows } = await sql<{ letters: number }>`
    select count(*)::int as letters from dead_letters
    where resolution is null and (click_projects && array[0, ${projectId}]::int[] or click_projects = '{}')`.execute(
    source,
  )
  const letters = rows[0]?.letters ?? 0
  if (letters > 0) {
    throw new CliError(
      `The old cell has ${formatCount(letters)} dead letters with clicks of this project, or of unknown ones. Replay or discard them there ("dead list"), then run the command again: it goes on.`,
    )
  }
}
