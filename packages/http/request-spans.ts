import type { RequestSpan, Tracing } from '@clicktally/tracing/tracing.ts'
import type { FastifyInstance } from 'fastify'

declare module 'fastify' {
  interface FastifyRequest {
    /** Undefined if the request is not recorded. */
    span?: RequestSpan | undefined
  }
}

export interface RequestTracing {
  readonly tracing: Pick<Tracing, 'startRequest'>
  /** What to do with the header `traceparent` of a client. */
  readonly traceparentUse: 'link' | 'continue'
}

/** Requests of health checks and of Prometheus. */
const notTraced = new Set(['/livez', '/readyz', '/metrics'])

/** Records a span for each request to a route, except for those about the service itself. */
export function traceRequests(
  app: Pick<FastifyInstance, 'addHook' | 'decorateRequest'>,
  { tracing, traceparentUse }: RequestTracing,
): void {
  app.decorateRequest('span')
  app.addHook('onRequest', (request, _reply, done) => {
    const { url: route } = request.routeOptions
    if (route !== undefined && !notTraced.has(route)) {
      const { method, id: requestId, headers } = request
      request.span = tracing.startRequest({ method, route, requestId }, headers.traceparent, traceparentUse)
    }
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    request.span?.end(reply.statusCode)
    done()
  })
}
