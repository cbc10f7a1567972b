import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'
import { type Finding, finding, grade } from './finding.ts'

/** A header Date has whole seconds, and the round trip takes time. */
const toleratedSeconds = 2
/** Beyond this, times of clicks and asOf mislead. */
const problemSeconds = 30
const timeoutMs = 10_000

/** Compares the clocks of the database, of the broker, and of the ingests with this machine's or the database's. */
export async function checkClocks(db: Kysely<Tables>, managementUrl: string): Promise<readonly Finding[]> {
  const sentAtMs = Date.now()
  const { rows } = await sql<{
    nowMs: number
  }>`select extract(epoch from clock_timestamp())::float8 * 1000 as "nowMs"`.execute(db)
  const databaseAhead = ((rows[0]?.nowMs ?? Number.NaN) - (sentAtMs + Date.now()) / 2) / 1_000
  const answer = await fetch(managementUrl, { signal: AbortSignal.timeout(timeoutMs) }).catch(() => undefined)
  const date = Date.parse(answer?.headers.get('date') ?? '')
  // Half a second: the header is rounded down.
  const brokerAhead = (date + 500 - Date.now()) / 1_000
  return [
    clock('clock of the database', databaseAhead, 'this machine'),
    clock('clock of the broker', brokerAhead, 'this machine'),
    await checkIngestClocks(db),
  ]
}

/** A click cannot be counted before it was received: if it was, the clock of its ingest is ahead of the database's. */
async function checkIngestClocks(db: Kysely<Tables>): Promise<Finding> {
  const { rows } = await sql<{ ahead: number | null }>`
    select max(extract(epoch from received_at - counted_at))::float8 as ahead
    from (select received_at, counted_at from clicks
      where id > (select lpad(to_hex((extract(epoch from now() - interval '1 hour') * 1000)::bigint), 12, '0')
        || '00000000000000000000')::uuid
      order by id desc limit 1000) as latest`.execute(db)
  const ahead = rows[0]?.ahead ?? null
  if (ahead === null) return finding('clocks of ingest', 'ok', 'no click in the last hour to compare with')
  return ahead > toleratedSeconds
    ? clock('clocks of ingest', ahead, 'the database')
    : finding('clocks of ingest', 'ok', 'no click was counted before it was received')
}

function clock(check: string, aheadSeconds: number, of: string): Finding {
  if (Number.isNaN(aheadSeconds)) return finding(check, 'unknown', 'could not be read')
  const seconds = Math.abs(aheadSeconds)
  const found = `${seconds.toFixed(1)} s ${aheadSeconds < 0 ? 'behind' : 'ahead of'} ${of}`
  return finding(
    check,
    grade(seconds, toleratedSeconds, problemSeconds),
    found,
    'Synchronize the clocks: chrony or systemd-timesyncd.',
  )
}
