import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { onTestFinished } from 'vitest'
import { createApp } from '../app.ts'

const logger = pino({ level: 'silent' })

/** Clicks that are counted: `2026-03-01T00:00Z` or later, `total` of people unless said otherwise. */
export interface CounterRow {
  readonly target?: string
  readonly minute: string
  readonly total?: number
  readonly bots?: number
  readonly visitors?: string[]
}

/** The api over a database of the test's own, as the role that can only read. */
export async function createApi() {
  const { apiUrl, ownerUrl } = await createTestDatabase()
  const owner = createPool({ url: ownerUrl, name: 'test', logger, maxConnections: 1, statementTimeoutMs: 60_000 })
  onTestFinished(() => owner.end())
  const db = createDatabase(
    createPool({ url: apiUrl, name: 'test', logger, maxConnections: 3, statementTimeoutMs: 60_000 }),
  )
  const app = await createApp(db, logger, new Registry())
  onTestFinished(async () => {
    await app.close()
    await db.destroy()
  })
  let counted = 0
  return {
    app,
    owner,
    apiUrl,
    async get(url: string) {
      const answer = await app.inject({ method: 'GET', url })
      return {
        status: answer.statusCode,
        type: answer.headers['content-type'],
        headers: answer.headers,
        body: answer.json(),
      }
    },
    async count(...rows: CounterRow[]) {
      for (const { target = 'button', minute, total = 1, bots = 0, visitors = [] } of rows) {
        await owner.query(
          `insert into counter_deltas (project_id, target, minute, total, bots, visitors)
           select 1, each, $2, $3, $4, visitor_sketch_merge(array(select visitor_hash(1, v) from unnest($5::text[]) as v), '{}')
           from unnest(array[$1, '']) as each`,
          [target, minute, total, bots, visitors],
        )
      }
      // Some of what the tests count is folded, and some is not.
      counted += 1
      if (counted % 2 === 1) await owner.query('select fold_counters()')
    },
  }
}
