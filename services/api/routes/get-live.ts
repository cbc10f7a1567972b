import { sendOpenStream } from '@clicktally/http/graceful-close.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import { liveOperations } from '@clicktally/operations/live-operations.ts'
import { cellOf, projectOf } from '../access/reader-access.ts'
import type { ApiContext } from '../api-context.ts'
import { readCountsFilter } from '../request/counts-filter.ts'
import { timeZoneOf } from '../time/time-zone.ts'

/** GET /v1/live */
export function getLive(app: HttpApp, { access }: ApiContext): void {
  const { method, url, schema } = liveOperations.getLive
  app.options(url, access.preflight)
  app.route({
    method,
    url,
    // A response to HEAD would never end.
    exposeHeadRoute: false,
    onRequest: access.requires('read'),
    schema: { querystring: schema.querystring },
    async handler(request, reply) {
      const cell = cellOf(request)
      const { projectId, targets, targetPrefix } = readCountsFilter(
        request.query,
        projectOf(request),
        timeZoneOf('UTC'),
      )
      const lastEventId = request.headers['last-event-id']
      const events = await cell.viewers.join({
        filter: { projectId, targets, targetPrefix },
        lastEventId: typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : undefined,
        // A project that has moved to another cell is watched there, after the viewer has connected again.
        isAllowed: async () =>
          (await access.readableProject(request, 'read')) === projectId &&
          (await access.readingOf(projectId)).cell === cell,
      })
      // nginx must not buffer it.
      reply.type('text/event-stream').header('cache-control', 'no-store').header('x-accel-buffering', 'no')
      return sendOpenStream(reply, events)
    },
  })
}
