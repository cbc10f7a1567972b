import type { HttpApp } from '@clicktally/http/http-app.ts'
import type { ServiceProblem } from '@clicktally/http/service-problem.ts'
import { type Interval, readOperations, type Series, type WeekStart } from '@clicktally/operations/read-operations.ts'
import type { FastifyReply } from 'fastify'
import { cellOf, projectOf } from '../access/reader-access.ts'
import type { ApiContext } from '../api-context.ts'
import { problem } from '../errors.ts'
import { counterState } from '../queries/counter-state.ts'
import { type SeriesFilter, series } from '../queries/series.ts'
import { inSnapshot } from '../queries/snapshot.ts'
import { latestEnd, readComparison } from '../request/comparison.ts'
import { type CountsFilter, endOfMinute, readCountsFilter, withinYears } from '../request/counts-filter.ts'
import { sendCounts } from '../response/caching.ts'
import { metaOf, rangeText, withMissingOf } from '../response/meta.ts'
import { ask } from '../scan/ask.ts'
import { countByBucket } from '../scan/bucket-counts.ts'
import { bucketEdges, usualWidthMs } from '../time/bucket-edges.ts'
import { type TimeZone, timeZoneOf } from '../time/time-zone.ts'

/** How many buckets a series without `from` has. */
const defaultPoints = {
  minute: 60,
  hour: 24,
  day: 30,
  week: 12,
  month: 12,
  quarter: 8,
  year: 5,
} as const satisfies Record<Interval, number>
const maxPoints = 10_000
/** Each point may have a sketch of 8 KB, in each of its counters. */
const maxPointsWithVisitors = 1_000

/** GET /v1/counts/series */
export function getSeries(app: HttpApp, context: ApiContext): void {
  const { access } = context
  const { method, url, schema } = readOperations.getSeries
  app.options(url, access.preflight)
  app.route({
    method,
    url,
    onRequest: access.requires('read'),
    schema: { querystring: schema.querystring },
    async handler(request, reply): Promise<Series | FastifyReply> {
      const { interval, weekStart, visitors = false, tz = 'UTC' } = request.query
      const cell = cellOf(request)
      const zone = timeZoneOf(tz)
      const filter = withRange(readCountsFilter(request.query, projectOf(request), zone), interval, zone, weekStart)
      const { compared } = readComparison(request.query, filter, zone, interval)
      const limit = visitors ? maxPointsWithVisitors : maxPoints
      const ranges = [filter, ...(compared === undefined ? [] : [compared])].map((range) => ({
        range,
        edges: edgesOf(range),
      }))
      const { filter: conditions } = request.query
      const { series: read, meta } = conditions === undefined ? await readCounters() : await scanClicks(conditions)
      const [points = [], comparedPoints = []] = read
      const answer = {
        points,
        ...(compared !== undefined && { comparison: { ...rangeText(compared), points: comparedPoints } }),
        meta,
      }
      return sendCounts(reply, answer, latestEnd(filter, compared))

      function readCounters(): Promise<{ series: Series['points'][]; meta: Series['meta'] }> {
        return inSnapshot(cell.db, async (snapshot) => {
          const { asOf, rolledUpBefore } = await counterState(snapshot)
          const all: Series['points'][] = []
          for (const { range, edges } of ranges) {
            const points = await series(snapshot, range, rolledUpBefore, edges, visitors ? cell.sketches : undefined)
            all.push(points.map(({ startMs, endMs, ...count }) => pointOf(startMs, endMs, count)))
          }
          return { series: all, meta: metaOf(asOf, 'counters', filter, zone.name) }
        })
      }

      /** The comparison is read later, so it is at least as fresh. */
      async function scanClicks(
        conditions: readonly string[],
      ): Promise<{ series: Series['points'][]; meta: Series['meta'] }> {
        const all: Series[] = []
        for (const { range, edges } of ranges) {
          all.push(
            await ask(context, cell, { filter: range, conditions, edges, visitors, zone }, async (scan) => {
              const counts = await countByBucket(scan, edges, visitors)
              return { points: counts.map((count, bucket) => pointOf(edges[bucket], edges[bucket + 1], count)) }
            }),
          )
        }
        const [{ meta }, before] = all as [Series, Series?]
        return {
          series: all.map(({ points }) => points),
          meta: before === undefined ? meta : withMissingOf(meta, before.meta),
        }
      }

      function edgesOf(range: SeriesFilter): number[] {
        // Before computing them, which takes long for millions.
        const estimate = Math.ceil((range.toMs - range.fromMs) / usualWidthMs[interval])
        if (estimate > maxPoints) throw tooManyPoints(estimate, limit)
        const edges = bucketEdges(interval, zone, range, weekStart)
        if (edges.length - 1 > limit) throw tooManyPoints(edges.length - 1, limit)
        return edges
      }
    },
  })
}

function pointOf<Count>(startMs = 0, endMs = 0, count: Count) {
  return { start: new Date(startMs).toISOString(), end: new Date(endMs).toISOString(), ...count }
}

/** A series needs both ends: without `to` it ends now, without `from` it has the default number of buckets. */
function withRange(filter: CountsFilter, interval: Interval, zone: TimeZone, weekStart?: WeekStart): SeriesFilter {
  const widthMs = usualWidthMs[interval]
  const toMs = filter.toMs ?? endOfMinute()
  const fromMs = filter.fromMs ?? startOfLast(defaultPoints[interval])
  if (toMs <= fromMs)
    throw problem('range_empty', '"from" is in the future. Set "to" as well, or use an earlier "from".', 'from')
  return withinYears({ ...filter, fromMs, toMs })

  function startOfLast(points: number): number {
    const enough = { fromMs: toMs - (points + 1) * widthMs, toMs }
    return bucketEdges(interval, zone, enough, weekStart).at(-1 - points) ?? enough.fromMs
  }
}

function tooManyPoints(points: number, limit: number): ServiceProblem {
  return problem(
    'too_many_points',
    `The range has ${points} buckets; the limit is ${limit}. Use a wider interval or a shorter range.`,
    'interval',
  )
}
