import { createPool } from '@clicktally/database/pool.ts'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import type { Pool } from 'pg'
import { pino } from 'pino'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { askOracle, miscounted } from '../oracle.ts'

let pool: Pool

beforeEach(async () => {
  const { ownerUrl } = await createTestDatabase()
  pool = createPool({
    url: ownerUrl,
    name: 'oracle test',
    logger: pino({ level: 'silent' }),
    maxConnections: 1,
    statementTimeoutMs: 60_000,
  })
  onTestFinished(async () => await pool.end())
  await pool.query('select create_click_partition(current_date + day) from generate_series(0, 1) as day')
})

/** Five clicks that were sent, accepted, stored and counted. */
async function fiveCounted(): Promise<Map<string, string>> {
  const ids = Array.from({ length: 5 }, () => randomUuidV7(Date.now()))
  await store(ids)
  await pool.query(
    `insert into minute_counters (project_id, target, minute, total, bots, visitors)
     values (1, 'button', date_trunc('minute', now()), 5, 0, '{}')`,
  )
  return new Map(ids.map((id) => [id, 'button']))
}

async function store(ids: string[]): Promise<void> {
  await pool.query(
    `insert into clicks (id, project_id, target, occurred_at, received_at, bot)
     select id, 1, 'button', now(), now(), false from unnest($1::uuid[]) as id`,
    [ids],
  )
}

async function ask(sent: Map<string, string>, accepted: Iterable<string> = sent.keys()) {
  const { lost, unexpected, ...rest } = await askOracle(pool, sent, new Set(accepted), 0)
  return { ...rest, lost: lost.length, unexpected: unexpected.length }
}

const fine = { counted: 5, lost: 0, unexpected: 0, overcounted: 0, recovered: 0 }

test('the oracle reports nothing if every click is counted once', async () => {
  expect(await ask(await fiveCounted())).toEqual(fine)
  expect(await miscounted(pool)).toBe(0)
})

test('the oracle finds an accepted click that is neither stored nor dead', async () => {
  const sent = await fiveCounted()
  sent.set(randomUuidV7(Date.now()), 'button')
  expect(await ask(sent)).toEqual({ ...fine, lost: 1 })
})

test('the oracle does not report a click in the dead letters as lost', async () => {
  const sent = await fiveCounted()
  const dead = randomUuidV7(Date.now())
  sent.set(dead, 'button')
  await pool.query(
    `insert into dead_letters (producer, sequence, reason, detail, content, clicks, click_ids)
     values (gen_random_uuid(), 1, 'refused_by_database', '', '', 1, $1)`,
    [[dead]],
  )
  expect(await ask(sent)).toEqual(fine)
})

test('the oracle finds a counter that is too high, and one that is too low', async () => {
  const sent = await fiveCounted()
  await pool.query(`update minute_counters set total = total + 2`)
  expect(await ask(sent)).toEqual({ ...fine, overcounted: 2 })
  expect(await miscounted(pool)).toBe(2)
  await pool.query(`update minute_counters set total = total - 3`)
  expect(await ask(sent)).toEqual({ ...fine, overcounted: 1 })
  expect(await miscounted(pool)).toBe(1)
})

test('the oracle finds a click that was never sent', async () => {
  const sent = await fiveCounted()
  const accepted = [...sent.keys()]
  const [first = ''] = accepted
  sent.delete(first)
  expect(await ask(sent, accepted.slice(1))).toMatchObject({ unexpected: 1 })
})

test('the oracle counts clicks that were stored without a 202', async () => {
  const sent = await fiveCounted()
  expect(await ask(sent, [...sent.keys()].slice(2))).toEqual({ ...fine, recovered: 2 })
})
