import { type DatabaseHealth, readDatabaseHealth } from '@clicktally/database/database-health.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { createMigrator } from '@clicktally/migrations/schema.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import { type Kysely, sql } from 'kysely'
import { type Finding, finding, grade } from './finding.ts'

/** Processors create partitions for 7 days ahead every hour. */
const fewestPartitionsAhead = 3
/** PostgreSQL refuses writes at 2^31; autovacuum freezes rows from 200 million on. */
const noticeableXidAge = 1_000_000_000

interface Server {
  readonly version: string
  readonly versionNumber: number
  readonly fsync: string
  readonly synchronousCommit: string
  readonly fullPageWrites: string
  readonly autovacuum: string
  readonly standbys: string
  readonly isStandby: boolean
  readonly xidAge: number
}

/** The database server, its schema and its upkeep. */
export async function checkDatabase(db: Kysely<Tables>): Promise<readonly Finding[]> {
  const { rows } = await sql<Server>`
    select current_setting('server_version') as version, current_setting('server_version_num')::int as "versionNumber",
      current_setting('fsync') as fsync, current_setting('synchronous_commit') as "synchronousCommit",
      current_setting('full_page_writes') as "fullPageWrites", current_setting('autovacuum') as autovacuum,
      current_setting('synchronous_standby_names') as standbys, pg_is_in_recovery() as "isStandby",
      age(datfrozenxid) as "xidAge"
    from pg_database where datname = current_database()`.execute(db)
  const [server] = rows
  if (server === undefined) throw new Error('the database is not in pg_database')
  const health = await readDatabaseHealth(db)
  return [...checkServer(server), checkStandbys(health, server), await checkSchema(db), ...checkUpkeep(health, server)]
}

function checkServer(server: Server): Finding[] {
  const unsafe = [
    server.fsync === 'on' ? '' : 'fsync',
    server.synchronousCommit === 'off' || server.synchronousCommit === 'local' ? 'synchronous_commit' : '',
    server.fullPageWrites === 'on' ? '' : 'full_page_writes',
  ].filter((name) => name !== '')
  return [
    finding(
      'PostgreSQL',
      server.isStandby ? 'problem' : server.versionNumber >= 180_000 ? 'ok' : 'notice',
      `${server.version}${server.isStandby ? ', a standby' : ''}`,
      server.isStandby
        ? 'This address leads to a standby. Clicks can be written only to the primary.'
        : 'Upgrade to version 18.',
    ),
    finding(
      'durability',
      unsafe.length > 0 ? 'problem' : 'ok',
      unsafe.length > 0 ? `not safe: ${unsafe.join(', ')}` : 'fsync, synchronous_commit and full_page_writes are on',
      'Turn them on: otherwise counted clicks can be lost in a power failure.',
    ),
  ]
}

/** A standby without a synchronous commit is a problem, because somebody relies on it. */
function checkStandbys({ standbys, isSynchronous }: DatabaseHealth, { standbys: names }: Server): Finding {
  if (isSynchronous) {
    return finding(
      'standbys',
      standbys > 0 ? 'ok' : 'problem',
      `${standbys} connected, synchronous: ${names}`,
      'No standby is connected: commits wait, and clicks wait in RabbitMQ. Start the standby.',
    )
  }
  return finding(
    'standbys',
    standbys > 0 ? 'problem' : 'ok',
    standbys > 0 ? `${standbys} connected, none synchronous` : 'none',
    'A standby that is promoted may lack clicks that were answered 202. Set synchronous_standby_names: see docs/scaling.md.',
  )
}

/** Compares the applied migrations with those that this program knows. */
async function checkSchema(db: Kysely<Tables>): Promise<Finding> {
  const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db)
  const applied = new Set(rows.map(({ name }) => name))
  const known = new Set((await createMigrator(db as Kysely<unknown>).getMigrations()).map(({ name }) => name))
  const missing = [...known].filter((name) => !applied.has(name)).sort()
  const newer = [...applied].filter((name) => !known.has(name)).sort()
  if (missing.length > 0) {
    return finding(
      'schema',
      'problem',
      `not migrated: ${missing.join(', ')}`,
      'Start the system: it migrates the database.',
    )
  }
  const found =
    newer.length > 0 ? `newer than this program: ${newer.join(', ')}` : `${known.size} migrations, all applied`
  return finding('schema', newer.length > 0 ? 'notice' : 'ok', found, 'Use the command line of the version that runs.')
}

function checkUpkeep(health: DatabaseHealth, server: Server): Finding[] {
  const dead = health.busyTables.filter(({ deadRows, liveRows }) => deadRows > 1_000_000 && deadRows > liveRows)
  const { connections, maxConnections, partitionsAhead, processorsReporting, sizeBytes } = health
  return [
    finding(
      'processors',
      processorsReporting === 0 ? 'problem' : 'ok',
      `${processorsReporting} report to the database`,
      'None has reported for 10 s. Start one, or look at its log. Clicks wait in RabbitMQ meanwhile.',
    ),
    finding(
      'connections',
      grade(connections / maxConnections, 0.8, 0.95),
      `${connections} of ${maxConnections}`,
      'Run fewer instances, lower DATABASE_CONNECTIONS, or raise max_connections.',
    ),
    finding(
      'partitions',
      partitionsAhead === 0 ? 'problem' : partitionsAhead < fewestPartitionsAhead ? 'notice' : 'ok',
      `for the next ${partitionsAhead} days`,
      'A processor creates them every hour. Its log has the reason: "create partitions".',
    ),
    finding(
      'autovacuum',
      server.autovacuum !== 'on'
        ? 'problem'
        : server.xidAge > noticeableXidAge
          ? 'problem'
          : dead.length > 0
            ? 'notice'
            : 'ok',
      [
        `is ${server.autovacuum}`,
        `the oldest row is ${formatCount(server.xidAge)} transactions old`,
        ...dead.map(({ table, deadRows }) => `${table} has ${formatCount(deadRows)} dead rows`),
      ].join(', '),
      'Turn autovacuum on. If it is, an old transaction or an unused replication slot keeps it from working.',
    ),
    finding('size', 'ok', `${formatCount(Math.round(sizeBytes / 1024 ** 2))} MiB`),
  ]
}
