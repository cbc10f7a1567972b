import type { FastifyInstance, onResponseHookHandler } from 'fastify'
import { Histogram, type Registry } from 'prom-client'

/**
 * Records the response times of each route that is registered from now on, by method, route and status.
 *
 * @returns records the response time (milliseconds) of a request that matched no route, so that no route's hook sees it.
 */
export function recordResponseTimes(
  app: Pick<FastifyInstance, 'addHook'>,
  registry: Registry,
): (elapsedMs: number) => void {
  const seconds = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the arrival of a request to the end of its response.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [registry],
  })
  const unrouted = seconds.labels({ method: 'none', route: 'none', status: 404 })
  // Each route caches its metrics by status: a lookup by labels takes longer than the observation itself.
  const observerOf = (method: string, route: string) => {
    const byStatus = new Map<number, Histogram.Internal<'method' | 'route' | 'status'>>()
    return ({ statusCode, elapsedTime }: { readonly statusCode: number; readonly elapsedTime: number }) => {
      let metric = byStatus.get(statusCode)
      if (metric === undefined) {
        metric = seconds.labels({ method, route, status: statusCode })
        byStatus.set(statusCode, metric)
      }
      metric.observe(elapsedTime / 1000)
    }
  }
  app.addHook('onRoute', (route) => {
    const observe = observerOf([route.method].flat().join(','), route.url)
    const onResponse: onResponseHookHandler = (_request, reply, done) => {
      observe(reply)
      done()
    }
    route.onResponse = [onResponse, ...[route.onResponse ?? []].flat()]
  })
  return (elapsedMs) => unrouted.observe(elapsedMs / 1000)
}
