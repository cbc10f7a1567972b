import type { Click } from '@clicktally/contract/click.ts'
import pg from 'pg'
import { servePeer } from './peer-service.ts'

const connections = 20

const schema = `
  create table if not exists clicks (
    id uuid not null,
    project_id int not null,
    occurred_at timestamptz not null,
    received_at timestamptz not null,
    counted_at timestamptz not null default now(),
    bot boolean not null,
    target text collate "C" not null,
    visitor_id text,
    url text,
    referrer text,
    props jsonb,
    primary key (id, project_id)
  );
  create table if not exists counters (
    project_id int not null,
    target text collate "C" not null,
    minute timestamptz not null,
    total bigint not null,
    bots bigint not null,
    primary key (project_id, target, minute)
  ) with (fillfactor = 70)`

/** One statement, so one round trip and one transaction: a click that was there already raises no counter. */
const insert = {
  name: 'keep',
  text: `
    with inserted as (
      insert into clicks (id, project_id, occurred_at, received_at, bot, target, visitor_id, url, referrer, props)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
      on conflict do nothing
      returning project_id, target, date_trunc('minute', occurred_at) as minute, bot
    )
    insert into counters as counter (project_id, target, minute, total, bots)
    select project_id, target, minute, (not bot)::int, bot::int from inserted
    on conflict (project_id, target, minute)
    do update set total = counter.total + excluded.total, bots = counter.bots + excluded.bots`,
}

// An insert and an upsert a click, answered after the commit: what many self-hosted counters and link shorteners do.
await servePeer('synchronous-insert', async ({ databaseUrl }) => {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: connections,
    idleTimeoutMillis: 0,
    connectionTimeoutMillis: 10_000,
    // The server's default, written out: the 202 says that the click is on disk.
    options: '-c synchronous_commit=on',
  })
  pool.on('error', () => {})
  await pool.query(schema)
  const keepOne = async (line: string) => {
    const click = JSON.parse(line) as Click
    const values = [
      click.id,
      click.projectId,
      new Date(click.occurredAtMs),
      new Date(click.receivedAtMs),
      click.bot === true,
      click.target,
      click.visitorId ?? null,
      click.url ?? null,
      click.referrer ?? null,
      click.props === undefined ? null : JSON.stringify(click.props),
    ]
    await pool.query({ ...insert, values })
  }
  return {
    async keep(lines, clicks) {
      if (clicks === 1) await keepOne(lines)
      else for (const line of lines.split('\n')) await keepOne(line)
    },
    close: async () => await pool.end(),
  }
})
