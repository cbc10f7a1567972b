import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { FolderStore } from '@clicktally/archive/folder-store.ts'
import { listArchives, type Manifest } from '@clicktally/archive/manifest.ts'
import { restoreArchive } from '@clicktally/cli/archive/restore-archive.ts'
import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { Janitor } from '@clicktally/janitor/janitor.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import { pino } from 'pino'
import type { Measurement, Section, Stage } from '../measurement.ts'
import { insertAttributedClicks } from '../storing/attributed-clicks.ts'
import { packHours } from '../storing/packing.ts'
import { createFreshDatabase, type FreshDatabase, withClient } from '../system/databases.ts'

/** Of the full amount ten million are old enough. */
const amounts = { full: 13_200_000, short: 500_000 }
/** The shortest age. */
const keptDays = 8
const importedForMs = 7 * 86_400_000
const logger = pino({ level: 'silent' })
const limits = { logger, maxConnections: 2, statementTimeoutMs: 600_000 }

/** Archiving raw clicks, and importing the archives again: the same rows, and no other count. */
export const archiving: Measurement = {
  name: 'archiving',
  title: 'archiving and importing again',
  run: measureArchiving,
}

async function measureArchiving(stage: Stage): Promise<Section> {
  const system = await stage.system()
  const postgresSeconds = () => system.cpuOf(['postgres'])[0] ?? 0
  const database = await createFreshDatabase(system)
  try {
    await withClient(database.ownerUrl, (client) =>
      insertAttributedClicks(client, amounts[stage.short ? 'short' : 'full'], (share) =>
        stage.progress('storing clicks', 0.25 * share),
      ),
    )
    stage.progress('packing hours', 0.25)
    await packHours(database, stage.signal)
    stage.progress('adding up all rows', 0.4)
    const before = await contentOf(database)
    const folder = join(stage.dir, 'archive')
    await mkdir(folder)
    const store = new FolderStore(folder)

    stage.progress('archiving', 0.45)
    const archived = await measured(postgresSeconds, () => archive(database, store))
    const left = await contentOf(database)
    const manifests = await Array.fromAsync(listArchives(store))
    const clicks = manifests.reduce((sum, manifest) => sum + manifest.clicks, 0)
    const bytes = manifests.reduce((sum, manifest) => sum + manifest.bytes, 0)

    stage.progress('importing again', 0.75)
    const imported = await measured(postgresSeconds, () => importAgain(stage, database, store, manifests))
    stage.progress('adding up all rows', 0.95)
    const after = await contentOf(database)
    const cells = ({ seconds, ownSeconds, postgresSeconds: theirs }: Took) => [
      [clicks / seconds],
      [(ownSeconds * 1e6) / clicks],
      [(theirs * 1e6) / clicks],
    ]
    return {
      title: 'Archiving',
      about: [
        `${formatCount(clicks)} clicks of ${formatCount(manifests.length)} partitions, which are older than ${keptDays} days, of ${formatCount(before.clicks)}. The
janitor writes them to a folder, reads each file back, and drops the partitions. Then the archives are imported again. All rows are compared by a
checksum of every field, before and after.`,
      ],
      tables: [
        {
          of: 'step',
          columns: [
            { name: 'clicks', unit: '/s' },
            { name: 'CPU per click, own', unit: 'µs' },
            { name: 'CPU per click, PostgreSQL', unit: 'µs' },
          ],
          rows: [
            { name: 'archiving, reading back, dropping', cells: cells(archived) },
            { name: 'importing again', cells: cells(imported) },
          ],
        },
        {
          of: 'disk space',
          columns: [{ name: 'per click', unit: 'bytes' }],
          rows: [{ name: 'archive', cells: [[bytes / clicks]] }],
        },
      ],
      verdicts: [],
      voided: [
        ...(clicks > 0 && left.clicks === before.clicks - clicks
          ? []
          : [`of ${before.clicks} clicks ${clicks} were archived, and ${left.clicks} are left`]),
        ...(left.counted === before.counted ? [] : [`the counters were ${before.counted} and are ${left.counted}`]),
        ...(JSON.stringify(after) === JSON.stringify(before)
          ? []
          : [`the content was ${JSON.stringify(before)} and is ${JSON.stringify(after)}`]),
      ],
    }
  } finally {
    await database.drop()
  }
}

interface Content {
  readonly clicks: number
  /** The sum of the hashes of all rows: of every field, in any order. */
  readonly checksum: string
  /** The sum of all counters. */
  readonly counted: number
}

async function contentOf({ ownerUrl }: FreshDatabase): Promise<Content> {
  return await withClient(ownerUrl, async (client) => {
    await client.query(`set statement_timeout = 0; set timezone = 'UTC'`)
    const { rows } = await client.query<Content>(
      `select count(*)::float8 as clicks, sum(hashtextextended(clicks::text, 0))::text as checksum,
         (select sum(total + bots)::float8 from hour_counters) as counted
       from clicks`,
    )
    return rows[0] as Content
  })
}

async function archive(database: FreshDatabase, store: FolderStore): Promise<void> {
  await withClient(database.ownerUrl, (client) =>
    client.query('update projects set keep_raw_days = $1 where id = 1', [keptDays]),
  )
  const url = database.urlFor('janitor')
  const pool = createPool({ ...limits, url, name: 'bench janitor', settings: { timezone: 'UTC' } })
  const metrics = { archived() {}, removed() {}, waiting() {} }
  const ages = { deadLetterDays: 90, auditLogDays: 730, producerDays: 400 }
  try {
    await new Janitor({ pool, store, ages, metrics, logger }).run()
  } finally {
    await pool.end()
  }
}

/** As `clicktally archive import` does it. */
async function importAgain(
  stage: Stage,
  database: FreshDatabase,
  store: FolderStore,
  manifests: readonly Manifest[],
): Promise<void> {
  const pool = createPool({ ...limits, url: database.urlFor('operator'), name: 'bench import' })
  const db = createDatabase(pool)
  const until = new Date(Date.now() + importedForMs)
  try {
    for (const manifest of manifests) {
      stage.signal.throwIfAborted()
      await restoreArchive(db, store, manifest, until)
    }
  } finally {
    await db.destroy()
  }
}

interface Took {
  readonly seconds: number
  /** CPU of this process, in which the janitor and the import run. */
  readonly ownSeconds: number
  readonly postgresSeconds: number
}

async function measured(postgresSeconds: () => number, act: () => Promise<void>): Promise<Took> {
  const postgresBefore = postgresSeconds()
  const cpuBefore = process.cpuUsage()
  const startedAtMs = performance.now()
  await act()
  const seconds = (performance.now() - startedAtMs) / 1_000
  const { user, system } = process.cpuUsage(cpuBefore)
  return { seconds, ownSeconds: (user + system) / 1e6, postgresSeconds: postgresSeconds() - postgresBefore }
}
