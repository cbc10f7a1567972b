import { createPool } from '@clicktally/database/pool.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import pg, { type ClientConfig } from 'pg'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, onTestFinished, test } from 'vitest'
import { createApp } from '../app.ts'
import { LiveViewers } from '../live/live-viewers.ts'

const logger = pino({ level: 'silent' })
const minuteMs = 60_000
const nowMs = Math.floor(Date.now() / minuteMs) * minuteMs

/** A database as one server of several has it. */
async function createServer(clicks: number, asOfMs: number): Promise<string> {
  const { apiUrl, ownerUrl } = await createTestDatabase()
  const owner = createPool({ url: ownerUrl, name: 'test', logger, maxConnections: 1, statementTimeoutMs: 60_000 })
  await owner.query(
    `insert into counter_deltas (project_id, target, minute, total, bots, visitors)
     select 1, each, $1, $2, 0, '{}' from unnest('{button,""}'::text[]) as each`,
    [new Date(nowMs - 10 * minuteMs), clicks],
  )
  await owner.query(
    `insert into processor_progress (processor, name, counted_through, connections, reported_at)
     values (gen_random_uuid(), 'test', $1, '{}', now())`,
    [new Date(asOfMs)],
  )
  await owner.end()
  return apiUrl
}

test('each answer comes from one server, if several are behind one address and one lags', async () => {
  const asOfMs = [nowMs - 5 * minuteMs, nowMs - minuteMs]
  const urls = await Promise.all([createServer(3, asOfMs[0] ?? 0), createServer(8, asOfMs[1] ?? 0)])
  let connections = 0
  /** Like an address that leads to each of the servers in turn. */
  class EitherServer extends pg.Client {
    constructor(config?: ClientConfig) {
      connections += 1
      super({ ...config, connectionString: urls[connections % 2] })
    }
  }
  const settings = { url: urls[0] ?? '', name: 'test', logger, maxConnections: 6, statementTimeoutMs: 60_000 }
  const pool = Object.assign(createPool(settings), { Client: EitherServer })
  const registry = new Registry()
  const viewers = new LiveViewers({ maxViewers: 1, registry, isConnected: () => false })
  const app = await createApp({ pool, exportPool: pool }, { isOpen: true, viewers }, logger, registry)
  onTestFinished(async () => {
    viewers.close()
    await app.close()
    await pool.end()
  })
  const from = new Date(nowMs - 60 * minuteMs).toISOString()
  const questions = [
    [`/v1/counts?from=${from}&compare=previous`, ({ total }) => total],
    [`/v1/counts/series?from=${from}&interval=hour`, ({ points }) => sum(points)],
    [`/v1/counts/top?from=${from}&visitors=true`, ({ targets }) => sum(targets)],
  ] as const satisfies [string, (body: { total: number; points: Count[]; targets: Count[] }) => number][]
  const answers = await Promise.all(
    Array.from({ length: 60 }, async (_, number) => {
      const [url, totalOf] = questions[number % questions.length] as (typeof questions)[number]
      const answer = await app.inject(url)
      expect(answer.statusCode).toBe(200)
      return `${url}: ${totalOf(answer.json())} as of ${answer.json().meta.asOf}`
    }),
  )
  const oneServers = questions.flatMap(([url]) =>
    [3, 8].map((total, n) => `${url}: ${total} as of ${new Date(asOfMs[n] ?? 0).toISOString()}`),
  )
  expect(answers.filter((answer) => !oneServers.includes(answer))).toEqual([])
  // Identical questions may share an answer, so not each was answered by both servers; otherwise the test shows nothing.
  expect(new Set(answers.map((answer) => answer.match(/: (\d+) as of/)?.[1]))).toEqual(new Set(['3', '8']))
})

interface Count {
  readonly total: number
}

function sum(counts: readonly Count[]): number {
  return counts.reduce((total, count) => total + count.total, 0)
}
