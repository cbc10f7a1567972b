import { readOperations, type Top } from '@clicktally/contract/read-operations.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import type { ApiContext } from '../api-context.ts'
import { readCountsFilter } from '../counts-filter.ts'
import { problem } from '../errors.ts'
import { metaOf } from '../meta.ts'
import { asOf } from '../queries/as-of.ts'
import { rollupHorizon } from '../queries/rollup-horizon.ts'
import { type TopPosition, top } from '../queries/top.ts'
import { inSnapshot } from '../snapshot.ts'

/** GET /v1/counts/top */
export function getTop(app: HttpApp, { db }: ApiContext): void {
  const { method, url, schema } = readOperations.getTop
  app.route({
    method,
    url,
    schema: { querystring: schema.querystring },
    async handler(request, reply): Promise<Top> {
      const { limit = 10, cursor } = request.query
      const filter = readCountsFilter(request.query)
      const after = cursor === undefined ? undefined : readCursor(cursor)
      const { found, meta } = await inSnapshot(db, async (snapshot) => {
        const freshness = await asOf(snapshot)
        // One more than asked for tells whether there is a next page.
        const found = await top(snapshot, filter, await rollupHorizon(snapshot), limit + 1, after)
        return { found, meta: metaOf(freshness, 'counters', filter) }
      })
      const targets = found.slice(0, limit)
      const last = targets.at(-1)
      reply.header('cache-control', 'public, max-age=1')
      return {
        targets,
        nextCursor: found.length > limit && last !== undefined ? writeCursor(last) : null,
        meta,
      }
    },
  })
}

function writeCursor({ total, target }: TopPosition): string {
  return Buffer.from(JSON.stringify([total, target])).toString('base64url')
}

function readCursor(cursor: string): TopPosition {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
  } catch {
    value = undefined
  }
  const [total, target] = Array.isArray(value) ? (value as unknown[]) : []
  if (!Number.isSafeInteger(total) || typeof target !== 'string' || target.includes('\0')) {
    throw problem('cursor_invalid', '"cursor" must be the nextCursor of the page before, unchanged.', 'cursor')
  }
  return { total: total as number, target }
}
