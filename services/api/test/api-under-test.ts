import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { makeKey } from '@clicktally/keys/key-text.ts'
import { keyRoles } from '@clicktally/keys/roles.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { onTestFinished } from 'vitest'
import { createApp } from '../app.ts'
import { LiveViewers, type LiveViewersOptions } from '../live/live-viewers.ts'
import { expectDocumented, type OpenApiDocument } from './openapi-contract.ts'

const logger = pino({ level: 'silent' })

/** A key of each role, for the project default. */
export const keys = {
  write: makeKey('write'),
  secret: makeKey('secret'),
  read: makeKey('read'),
  auditor: makeKey('auditor'),
  owner: makeKey('owner'),
}

/** Counted clicks. Default: by people, at `2026-03-01T00:00Z` or later. */
export interface CounterRow {
  readonly target?: string
  readonly minute: string
  readonly total?: number
  readonly bots?: number
  readonly visitors?: string[]
}

/** Creates the api with a separate database, under the role that can only read. */
export async function createApi(live: Partial<LiveViewersOptions> = {}) {
  const { apiUrl, ownerUrl, processorUrl } = await createTestDatabase()
  const owner = createPool({ url: ownerUrl, name: 'test', logger, maxConnections: 1, statementTimeoutMs: 60_000 })
  onTestFinished(() => owner.end())
  const pool = createPool({ url: apiUrl, name: 'test', logger, maxConnections: 3, statementTimeoutMs: 60_000 })
  const db = createDatabase(pool)
  for (const role of keyRoles) {
    const { id, hash } = keys[role]
    await owner.query(
      `insert into keys (id, project_id, role, label, hash, origins) values ($1, 1, $2, '', $3, '{https://page.example}')`,
      [id, role, Buffer.from(hash, 'base64url')],
    )
  }
  const registry = new Registry()
  const viewers = new LiveViewers({ maxViewers: 10, registry, isConnected: () => false, ...live })
  const app = await createApp({ pool, exportPool: pool }, { isOpen: false, viewers }, logger, registry)
  onTestFinished(async () => {
    viewers.close()
    // It would wait for clients that have not read everything: until the limit of a stalled export, or 72 s.
    app.server.closeAllConnections()
    await app.close()
    await db.destroy()
  })
  const document = (await app.inject('/openapi.json')).json() as OpenApiDocument
  let counted = 0
  return {
    app,
    registry,
    viewers,
    owner,
    apiUrl,
    processorUrl,
    db,
    /** With the auditor's key, unless other headers are given. The answer must be as the OpenAPI document says. */
    async get(url: string, headers: Record<string, string> = { authorization: `Bearer ${keys.auditor.text}` }) {
      const answer = await app.inject({ method: 'GET', url, headers })
      const { statusCode: status, headers: sent } = answer
      const read = { status, type: sent['content-type'], headers: sent, body: answer.json() }
      if (url.startsWith('/v1/')) expectDocumented(document, url, read)
      return read
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
      // Fold only some of the counters.
      counted += 1
      if (counted % 2 === 1) await owner.query('select fold_counters()')
    },
  }
}
