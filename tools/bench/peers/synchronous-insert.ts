import { clickColumns } from '@clicktally/database/click-columns.ts'
import type { Click } from '@clicktally/event/click.ts'
import pg from 'pg'
import { servePeer } from './peer-service.ts'

const connections = 20
const columns = clickColumns()
const definitions = columns
  .map(({ name, type }) => `${name} ${type}${name === 'target' ? ' collate "C"' : ''}`)
  .join(', ')

const schema = `
  create table if not exists clicks (
    ${definitions},
    counted_at timestamptz not null default now(),
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

/** One statement: one round trip and one transaction. A click that is already stored increments no counter. */
const insert = {
  name: 'keep',
  text: `
    with inserted as (
      insert into clicks (${columns.map(({ name }) => name).join(', ')})
      values (${columns.map((_, index) => `$${index + 1}`).join(', ')})
      on conflict do nothing
      returning project_id, target, date_trunc('minute', occurred_at) as minute, bot
    )
    insert into counters as counter (project_id, target, minute, total, bots)
    select project_id, target, minute, (not bot)::int, bot::int from inserted
    on conflict (project_id, target, minute)
    do update set total = counter.total + excluded.total, bots = counter.bots + excluded.bots`,
}

// One insert and one upsert per click, with the response after the commit, as in many self-hosted counters and link shorteners.
await servePeer('synchronous-insert', async ({ databaseUrl }) => {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: connections,
    idleTimeoutMillis: 0,
    connectionTimeoutMillis: 10_000,
    // The default, stated because it matters: a 202 means that the click is on disk.
    options: '-c synchronous_commit=on',
  })
  pool.on('error', () => {})
  await pool.query(schema)
  const keepOne = async (line: string) => {
    const click = JSON.parse(line) as Click
    await pool.query({ ...insert, values: columns.map(({ value }) => value(click)) })
  }
  return {
    async keep(lines, clicks) {
      if (clicks === 1) await keepOne(lines)
      else for (const line of lines.split('\n')) await keepOne(line)
    },
    close: async () => await pool.end(),
  }
})
