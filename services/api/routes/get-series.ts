import { type Interval, readOperations, type Series } from '@clicktally/contract/read-operations.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import type { ApiContext } from '../api-context.ts'
import { type CountsFilter, floorToMinute, readCountsFilter } from '../counts-filter.ts'
import { problem } from '../errors.ts'
import { metaOf } from '../meta.ts'
import { asOf } from '../queries/as-of.ts'
import { rollupHorizon } from '../queries/rollup-horizon.ts'
import { type SeriesFilter, series } from '../queries/series.ts'
import { inSnapshot } from '../snapshot.ts'
import { readTimeZone } from '../time-zone.ts'

const widthMs = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const satisfies Record<Interval, number>
const defaultPoints = { minute: 60, hour: 24, day: 30 } as const satisfies Record<Interval, number>
const maxPoints = 10_000

/** GET /v1/counts/series */
export function getSeries(app: HttpApp, { db }: ApiContext): void {
  const { method, url, schema } = readOperations.getSeries
  app.route({
    method,
    url,
    schema: { querystring: schema.querystring },
    async handler(request, reply): Promise<Series> {
      const { interval, tz = 'UTC' } = request.query
      const filter = withRange(readCountsFilter(request.query), interval)
      const zone = readTimeZone(tz)
      const answer = await inSnapshot(db, async (snapshot) => {
        const freshness = await asOf(snapshot)
        const points = await series(snapshot, filter, await rollupHorizon(snapshot), interval, zone)
        return {
          points: points.map(({ start, total, bots }) => ({ start: start.toISOString(), total, bots })),
          meta: metaOf(freshness, 'counters', filter, tz),
        }
      })
      reply.header('cache-control', 'public, max-age=1')
      return answer
    },
  })
}

/** A series needs both ends: without `to` it ends now, without `from` it has the default number of buckets. */
function withRange(filter: CountsFilter, interval: Interval): SeriesFilter {
  const width = widthMs[interval]
  const toMs = filter.toMs ?? floorToMinute(Date.now()) + 60_000
  const fromMs = filter.fromMs ?? toMs - width * defaultPoints[interval]
  if (toMs <= fromMs) throw problem('range_empty', '"from" lies in the future and there is no "to".', 'from')
  const points = Math.ceil((toMs - fromMs) / width)
  if (points > maxPoints) {
    throw problem(
      'too_many_points',
      `The range has ${points} buckets; at most ${maxPoints} are given. Take wider ones.`,
      'interval',
    )
  }
  return { ...filter, fromMs, toMs }
}
