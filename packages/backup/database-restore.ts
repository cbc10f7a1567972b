import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import type { Pool, PoolClient } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import type { BackupManifest } from './backup-manifest.ts'
import { endCopy } from './ended-copy.ts'
import { tablesToCopy } from './table-list.ts'

/** The steps of a restore that leave something behind. */
export const restoreSteps = ['schema created', 'first table loaded', 'rows loaded', 'committed', 'migrated'] as const

/** Called after each step. Tests kill the process there. */
export type OnRestoreStep = (step: (typeof restoreSteps)[number]) => void | Promise<void>

export interface Migrations {
  /** Brings an empty database to the schema of the backup: exactly these migrations. */
  readonly migrateTo: (migrations: readonly string[]) => Promise<void>
  /** Brings it to the schema of this program, with its functions. */
  readonly migrate: () => Promise<void>
}

/**
 * Compares all files of a backup with its manifest.
 *
 * @throws {Error} that names the first file that differs
 */
export async function verifyBackup(folder: string, { tables, secrets = [] }: BackupManifest): Promise<void> {
  for (const { file, sha256 } of [...tables, ...secrets]) {
    const hash = createHash('sha256')
    try {
      await pipeline(createReadStream(join(folder, file)), hash)
    } catch (error) {
      throw new Error(`The backup in ${folder} is damaged: ${(error as Error).message}`, { cause: error })
    }
    if (hash.digest('hex') !== sha256)
      throw new Error(`The backup in ${folder} is damaged: ${file} does not have the SHA-256 of the manifest.`)
  }
}

/**
 * Restores a verified backup into a database without tables, in one transaction, and migrates it to the present schema. Before it
 * resolves, the database may have the tables without the rows: the caller sees to it that nobody takes that for a whole one.
 *
 * @param pool as the owner, with one connection or more
 * @throws {Error} if the database is not empty; the database error. Then remove the database and begin anew.
 */
export async function restoreDatabase(
  pool: Pool,
  folder: string,
  manifest: BackupManifest,
  { migrateTo, migrate }: Migrations,
  onStep: OnRestoreStep = () => {},
): Promise<void> {
  const { rows } = await pool.query(
    `select from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')`,
  )
  if (rows.length > 0) throw new Error('The database has tables already. A backup is restored into an empty one.')
  await migrateTo(manifest.migrations)
  await onStep('schema created')
  const client = await pool.connect()
  let failure: Error | undefined
  try {
    await client.query(`begin; set local statement_timeout = 0; set local timezone = 'UTC'`)
    await createPartitions(client, manifest)
    await load(client, folder, manifest, onStep)
    await onStep('rows loaded')
    await client.query('commit')
    await onStep('committed')
    await client.query('analyze')
  } catch (error) {
    failure = error as Error
    throw error
  } finally {
    client.release(failure)
  }
  await migrate()
  await onStep('migrated')
  for (const partition of manifest.partitions) await completePartition(pool, partition)
}

/** Gives a partition what create_click_partition() and later functions gave it. The role and the trigger's function come with the migration. */
async function completePartition(
  pool: Pool,
  { name, isClosed, settings = [] }: BackupManifest['partitions'][number],
): Promise<void> {
  await pool.query(`grant maintain on ${name} to clicktally_janitor`)
  if (settings.length > 0) await pool.query(`alter table ${name} set (${settings.join(', ')})`)
  if (isClosed) {
    await pool.query(
      `create trigger before_horizon before insert on ${name} for each row execute function refuse_click()`,
    )
  }
}

async function createPartitions(client: PoolClient, { partitions }: BackupManifest): Promise<void> {
  for (const { name, from, to } of partitions) {
    await client.query(`create table ${name} partition of clicks for values from ('${from}') to ('${to}')`)
  }
}

async function load(
  client: PoolClient,
  folder: string,
  { tables, sequences }: BackupManifest,
  onStep: OnRestoreStep,
): Promise<void> {
  const known = await tablesToCopy(client)
  const order = new Map(known.map(({ name }, index) => [name, index]))
  const missing = tables.find(({ name }) => !order.has(name))
  if (missing !== undefined)
    throw new Error(`The backup has a table ${missing.name}, which its migrations do not create.`)
  // Migrations insert some rows.
  await client.query(`truncate ${known.map(({ name }) => name).join(', ')}`)
  const sorted = tables.toSorted((one, other) => (order.get(one.name) ?? 0) - (order.get(other.name) ?? 0))
  for (const [index, { name, columns, rows, file }] of sorted.entries()) {
    const copy = client.query(copyFrom(`copy ${name} (${columns.join(', ')}) from stdin`))
    await pipeline(createReadStream(join(folder, file)), createGunzip(), copy).finally(() => endCopy(copy))
    if (copy.rowCount !== rows) throw new Error(`${file} has ${copy.rowCount} rows, and the manifest says ${rows}.`)
    if (index === 0) await onStep('first table loaded')
  }
  for (const { name, lastValue } of sequences) await client.query('select setval($1::regclass, $2)', [name, lastValue])
}
