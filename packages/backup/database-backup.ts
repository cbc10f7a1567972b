import { createHash } from 'node:crypto'
import { createWriteStream, existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { readBalance } from '@clicktally/database/balance.ts'
import { createDatabaseOn } from '@clicktally/database/connection.ts'
import { sqlStateOf } from '@clicktally/database/sqlstate.ts'
import type { Pool, PoolClient } from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { type BackedUpTable, type BackupManifest, manifestFile } from './backup-manifest.ts'
import { endCopy } from './ended-copy.ts'
import { copyFolder, syncFolder, writeSynced } from './synced-files.ts'
import { type TableToCopy, tablesToCopy } from './table-list.ts'

const newline = 10
/** Level 6 takes three times as long and saves a tenth. */
const gzipLevel = 1

const tableMissing = '42P01'

/** The steps of a backup that leave something behind. */
export const backupSteps = [
  'begun',
  'first table written',
  'rows read',
  'other files written',
  'manifest written',
  'complete',
] as const

export interface BackupOptions {
  /** A folder of small files, which are copied too. */
  readonly secretsDir?: string | undefined
  /** Receives each table when it is written. */
  readonly onTable?: (table: BackedUpTable) => void
  /** Called after each step. Tests kill the process there. */
  readonly onStep?: (step: (typeof backupSteps)[number]) => void | Promise<void>
  /** Ends the backup with its reason. */
  readonly signal?: AbortSignal
}

/**
 * Writes all rows of the database to a folder, as of one moment, while the system runs. The folder appears when it is complete. Until
 * then it is named `<folder>.partial`; what a killed backup left there is removed by the next one.
 *
 * @param pool as the owner of the tables
 * @param folder must not exist
 * @throws the database error, or the error of the disk; nothing is left then
 */
export async function backUpDatabase(
  pool: Pool,
  folder: string,
  { secretsDir, onTable = () => {}, onStep = () => {}, signal = new AbortController().signal }: BackupOptions = {},
): Promise<BackupManifest> {
  if (existsSync(folder)) throw new Error(`${folder} exists already: a backup is a folder of its own.`)
  const partial = `${folder}.partial`
  // Its clicks have visitors.
  await rm(partial, { recursive: true, force: true })
  await mkdir(join(partial, 'tables'), { recursive: true, mode: 0o700 })
  await onStep('begun')
  const client = await pool.connect()
  let failure: Error | undefined
  try {
    const found = await beginSnapshot(client)
    const described = await describe(client)
    const tables: BackedUpTable[] = []
    for (const table of found) {
      signal.throwIfAborted()
      const written = await writeTable(client, table, partial, signal)
      tables.push(written)
      onTable(written)
      if (tables.length === 1) await onStep('first table written')
    }
    const balance = { ...(await readBalance(createDatabaseOn(client))) }
    await client.query('commit')
    await onStep('rows read')
    const secrets = secretsDir === undefined ? undefined : await copySecrets(secretsDir, partial)
    await onStep('other files written')
    signal.throwIfAborted()
    const manifest: BackupManifest = { version: 1, ...described, tables, ...(secrets && { secrets }), balance }
    await writeSynced(join(partial, manifestFile), `${JSON.stringify(manifest, null, 2)}\n`)
    await onStep('manifest written')
    await syncFolder(join(partial, 'tables'))
    await syncFolder(partial)
    await rename(partial, folder)
    await syncFolder(dirname(folder))
    await onStep('complete')
    return manifest
  } catch (error) {
    failure = error as Error
    await rm(partial, { recursive: true, force: true })
    throw error
  } finally {
    client.release(failure)
  }
}

/**
 * Begins a transaction that sees the rows of one moment, and locks its tables: until it ends, no partition is dropped.
 *
 * @returns the tables to copy
 */
async function beginSnapshot(client: PoolClient): Promise<TableToCopy[]> {
  for (;;) {
    await client.query(`begin isolation level repeatable read read only; set local timezone = 'UTC';
      set local idle_in_transaction_session_timeout = 0; set local statement_timeout = 0`)
    const tables = await tablesToCopy(client)
    try {
      await client.query(`lock table ${tables.map(({ name }) => name).join(', ')} in access share mode`)
      return tables
    } catch (error) {
      await client.query('rollback')
      // A partition was dropped since they were listed: a new snapshot does not have it.
      if (sqlStateOf(error) !== tableMissing) throw error
    }
  }
}

async function copySecrets(secretsDir: string, partial: string): Promise<NonNullable<BackupManifest['secrets']>> {
  const copied = await copyFolder(secretsDir, join(partial, 'secrets'))
  return copied.map(({ name, sha256 }) => ({ file: `secrets/${name}`, sha256 }))
}

type Described = Pick<BackupManifest, 'takenAt' | 'postgresVersion' | 'migrations' | 'partitions' | 'sequences'>

async function describe(client: PoolClient): Promise<Described> {
  const { rows } = await client.query<Described & { takenAt: string }>(`
    select to_char(now(), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "takenAt",
      current_setting('server_version_num')::int as "postgresVersion",
      array(select name from kysely_migration order by name) as migrations`)
  const [row] = rows
  if (row === undefined) throw new Error('the server did not describe itself')
  const partitions = await client.query<{ name: string; bounds: string; isClosed: boolean; settings: string[] }>(`
    select relname as name, pg_get_expr(relpartbound, pg_class.oid) as bounds,
      exists (select from pg_trigger where tgrelid = pg_class.oid and tgname = 'before_horizon') as "isClosed",
      coalesce(reloptions, '{}') as settings
    from pg_inherits join pg_class on pg_class.oid = inhrelid where inhparent = 'clicks'::regclass order by 1`)
  const sequences = await client.query<{ name: string; lastValue: number | null }>(
    `select sequencename as name, last_value as "lastValue" from pg_sequences where schemaname = 'public' order by 1`,
  )
  return {
    ...row,
    partitions: partitions.rows.map(({ name, bounds, isClosed, settings }) => {
      const [, from, to] = /^FOR VALUES FROM \('([0-9a-f-]{36})'\) TO \('([0-9a-f-]{36})'\)$/.exec(bounds) ?? []
      if (from === undefined || to === undefined) throw new Error(`the partition ${name} has the bounds ${bounds}`)
      return { name, from, to, isClosed, settings }
    }),
    sequences: sequences.rows.flatMap(({ name, lastValue }) => (lastValue === null ? [] : [{ name, lastValue }])),
  }
}

async function writeTable(
  client: PoolClient,
  { name, columns }: TableToCopy,
  folder: string,
  signal: AbortSignal,
): Promise<BackedUpTable> {
  const file = `tables/${name}.copy.gz`
  const path = join(folder, file)
  const hash = createHash('sha256')
  let rows = 0
  const copy = client.query(copyTo(`copy ${name} (${columns.join(', ')}) to stdout`))
  await pipeline(
    copy,
    async function* (chunks) {
      for await (const chunk of chunks as AsyncIterable<Buffer>) {
        // In the text format each row is a line.
        for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, at + 1)) rows += 1
        yield chunk
      }
    },
    createGzip({ level: gzipLevel }),
    async function* (chunks) {
      for await (const chunk of chunks as AsyncIterable<Buffer>) {
        hash.update(chunk)
        yield chunk
      }
    },
    createWriteStream(path, { mode: 0o600, flush: true }),
    { signal },
  ).finally(() => endCopy(copy))
  return { name, columns, rows, file, sha256: hash.digest('hex') }
}
