import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import { Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  fastify,
  LogController,
  type onResponseHookHandler,
} from 'fastify'
import type { Logger } from 'pino'
import { Histogram, type Registry } from 'prom-client'
import { RequestsUnderWay } from './requests-under-way.ts'
import { commonProblems, ServiceProblem, toServiceProblem } from './service-problem.ts'

export interface HttpAppOptions {
  readonly logger: Logger
  readonly registry: Registry
  /** Whether the service can do its work now. Shown at /readyz. */
  readonly isReady: () => boolean | Promise<boolean>
  /** A stable code for why it is not ready, shown beside it. */
  readonly whyNotReady?: () => string | undefined
  /** Turns errors that only this service knows into the problem to answer with. */
  readonly explain?: (error: unknown) => ServiceProblem | undefined
  /** Bytes. Default 1 MiB. */
  readonly bodyLimit?: number
}

const plainId = /^[\w.-]{1,64}$/

/**
 * A Fastify app with what every service has: /livez, /readyz and /metrics (nginx lets none of them through), errors as
 * application/problem+json, the request id of nginx, a histogram of the answers. No logging of each request.
 */
export function createHttpApp(options: HttpAppOptions) {
  const { logger, registry, isReady, whyNotReady, explain, bodyLimit = 1_048_576 } = options
  const app = fastify({
    loggerInstance: logger as FastifyBaseLogger,
    // A line for each click would cost more than the click.
    logController: new LogController({ disableRequestLogging: true }),
    // Nor a logger for each request: the one line that is about a request names its id itself.
    childLoggerFactory: (logger) => logger,
    bodyLimit,
    // Only what nginx has set is an id: 1 to 64 plain characters, so that no client writes into our logs.
    requestIdHeader: false,
    genReqId: (request) => {
      const given = request.headers['x-request-id']
      return typeof given === 'string' && plainId.test(given) ? given : randomUUID()
    },
    // Longer than the 60 s for which nginx keeps an idle connection, so that it is never we who close it first.
    keepAliveTimeout: 72_000,
    requestTimeout: 15_000,
    forceCloseConnections: 'idle',
    // What Fastify and Node refuse before there is a route has the same shape as every other error.
    frameworkErrors: (error, _request, reply) => sendProblem(reply as FastifyReply, toServiceProblem(error)),
    clientErrorHandler: refuseConnection,
    // During a drain requests that are under way are answered as ever; see closeGracefully.
    return503OnClosing: false,
  }).withTypeProvider<TypeBoxTypeProvider>()

  app.setValidatorCompiler(TypeBoxValidatorCompiler)
  app.setErrorHandler((error, request, reply) => {
    const explained = explain?.(error) ?? toServiceProblem(error)
    if (explained.problem.status === 500)
      logger.error({ err: explained.cause ?? error, requestId: request.id }, 'request failed')
    return sendProblem(reply as FastifyReply, explained)
  })
  app.setNotFoundHandler((request, reply) => {
    // Of no route, so no route's hook sees it.
    unrouted.observe(reply.elapsedTime / 1000)
    throw new ServiceProblem(
      'not_found',
      commonProblems.not_found,
      `There is no ${request.method} ${pathOf(request.url)} here.`,
    )
  })

  const seconds = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the arrival of a request to the end of its answer.',
    labelNames: ['route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [registry],
  })
  const unrouted = seconds.labels({ route: 'none', status: 404 })
  // Each route has its figures by status at hand: to look them up by their labels takes longer than to observe.
  const observerOf = (route: string) => {
    const byStatus = new Map<number, Histogram.Internal<'route' | 'status'>>()
    return ({ statusCode, elapsedTime }: { readonly statusCode: number; readonly elapsedTime: number }) => {
      let figure = byStatus.get(statusCode)
      if (figure === undefined) {
        figure = seconds.labels({ route, status: statusCode })
        byStatus.set(statusCode, figure)
      }
      figure.observe(elapsedTime / 1000)
    }
  }
  app.addHook('onRoute', (route) => {
    const observe = observerOf(route.url)
    const onResponse: onResponseHookHandler = (_request, reply, done) => {
      observe(reply)
      done()
    }
    route.onResponse = [onResponse, ...[route.onResponse ?? []].flat()]
  })

  app.get('/livez', () => ({ status: 'alive' }))
  app.get('/readyz', async (_request, reply) => {
    const ready = !traffic.closing && (await isReady())
    if (ready) return reply.send({ status: 'ready' })
    const reason = traffic.closing ? 'closing' : whyNotReady?.()
    return reply.code(503).send({ status: 'not_ready', ...(reason !== undefined && { reason }) })
  })
  app.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()))
  const traffic: Traffic = { closing: false, arrived: 0, underWay: new RequestsUnderWay() }
  trafficOf.set(app, traffic)
  // Before Fastify sees it, which may answer at once.
  app.server.prependListener('request', (_request, response) => {
    traffic.arrived += 1
    traffic.underWay.add(response)
    if (traffic.closing) response.setHeader('connection', 'close')
  })
  return app
}

export type HttpApp = ReturnType<typeof createHttpApp>

function sendProblem(reply: FastifyReply, { problem, retryAfterSeconds }: ServiceProblem): FastifyReply {
  if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds)
  return reply.code(problem.status).type('application/problem+json').serializer(JSON.stringify).send(problem)
}

/** Answers what is no HTTP, or took too long to arrive, on the bare socket: there is no request to reply to. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const { problem } =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? new ServiceProblem('request_timeout', commonProblems.request_timeout, 'The request did not arrive in time.')
      : new ServiceProblem('bad_request', commonProblems.bad_request, 'The request is not well-formed HTTP.')
  const body = JSON.stringify(problem)
  socket.end(
    [
      `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
      'connection: close',
      'content-type: application/problem+json',
      `content-length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n'),
    () => socket.destroy(),
  )
}

/** What closeGracefully has to know of an app. */
interface Traffic {
  closing: boolean
  arrived: number
  readonly underWay: RequestsUnderWay
}
const trafficOf = new WeakMap<object, Traffic>()

/**
 * Closes without failing a request: stops listening, tells each open connection to close with its next answer, waits for
 * what is under way (at most `timeoutMs`), and only then closes the app. Node's own close would cut idle keep-alive
 * connections at once, just when nginx may be sending on one.
 */
export async function closeGracefully(app: FastifyInstance | HttpApp, timeoutMs = 10_000): Promise<void> {
  const traffic = trafficOf.get(app)
  const { server } = app
  Server.prototype.close.call(server)
  if (traffic !== undefined) {
    traffic.closing = true
    for (const response of traffic.underWay) if (!response.headersSent) response.setHeader('connection', 'close')
    const deadline = Date.now() + timeoutMs
    // A connection that carried nothing for this long is idle at nginx too, which sends again if it is cut all the same.
    const quietMs = 500
    let quietSince = Date.now()
    let seen = traffic.arrived
    while (Date.now() < deadline && (await connections(server)) > 0) {
      if (traffic.arrived !== seen || traffic.underWay.count > 0) quietSince = Date.now()
      seen = traffic.arrived
      if (Date.now() - quietSince > quietMs) break
      await sleep(25)
    }
    // What is open now is idle, or past the deadline, or half a request that may never be a whole one.
    server.closeAllConnections()
  }
  await app.close().catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_SERVER_NOT_RUNNING') throw error
  })
}

function connections(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((_error, count) => resolve(count ?? 0)))
}

function pathOf(url: string): string {
  return url.split('?', 1)[0]?.slice(0, 256) ?? ''
}
