import type { Click } from '@clicktally/event/click.ts'
import { createClient } from '@redis/client'
import pg from 'pg'
import { servePeer } from './peer-service.ts'

const flushEveryMs = 1_000
const counts = 'counts'
const flushing = 'counts.flushing'
const minuteMs = 60_000

const schema = `
  create table if not exists counters (
    target text collate "C" not null,
    minute timestamptz not null,
    total bigint not null,
    primary key (target, minute)
  ) with (fillfactor = 70)`

const raise = `
  insert into counters as counter (target, minute, total)
  select * from unnest($1::text[], $2::timestamptz[], $3::bigint[])
  on conflict (target, minute) do update set total = counter.total + excluded.total`

// The common "scalable counter": responds after an increment in Redis, and adds the increments to the database every second.
// It keeps no clicks, counts a resent click twice, and Redis syncs to disk once a second.
await servePeer('redis-counter', async ({ redisUrl, databaseUrl }) => {
  const redis = createClient({ url: redisUrl })
  redis.on('error', () => {})
  await redis.connect()
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1, connectionTimeoutMillis: 10_000 })
  pool.on('error', () => {})
  await pool.query(schema)

  const flush = async () => {
    // Continue an interrupted flush first.
    if (!(await redis.exists(flushing))) {
      if (!(await redis.exists(counts))) return
      await redis.rename(counts, flushing)
    }
    const fields = Object.entries(await redis.hGetAll(flushing)).map(([field, total]) => {
      const blank = field.indexOf(' ')
      return { minute: new Date(Number(field.slice(0, blank))), target: field.slice(blank + 1), total }
    })
    await pool.query(raise, [
      fields.map(({ target }) => target),
      fields.map(({ minute }) => minute),
      fields.map(({ total }) => total),
    ])
    await redis.del(flushing)
  }
  let flushed = Promise.resolve()
  const timer = setInterval(() => {
    flushed = flushed.then(flush).catch((error) => console.error(error))
  }, flushEveryMs)

  const keepOne = async (line: string) => {
    const { target, occurredAtMs } = JSON.parse(line) as Click
    await redis.hIncrBy(counts, `${occurredAtMs - (occurredAtMs % minuteMs)} ${target}`, 1)
  }
  return {
    async keep(lines, clicks) {
      if (clicks === 1) await keepOne(lines)
      else await Promise.all(lines.split('\n').map(keepOne))
    },
    async close() {
      clearInterval(timer)
      await flushed
      await flush()
      await redis.close()
      await pool.end()
    },
  }
})
