import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import { type FastifyBaseLogger, type FastifyReply, type FastifyRequest, fastify, LogController } from 'fastify'
import type { Logger } from 'pino'
import { Gauge, type Registry } from 'prom-client'
import { recordMethods } from './allowed-methods.ts'
import { trackTraffic } from './graceful-close.ts'
import { type RequestTracing, traceRequests } from './request-spans.ts'
import { recordResponseTimes } from './response-metrics.ts'
import { commonProblems, ServiceProblem, toServiceProblem } from './service-problem.ts'

export interface HttpAppOptions {
  readonly logger: Logger
  readonly registry: Registry
  /** Whether the service can currently do its work. Shown at /readyz. */
  readonly isReady: () => boolean | Promise<boolean>
  /** A stable code for why the service is not ready, shown at /readyz. */
  readonly whyNotReady?: () => string | undefined
  /** Converts errors that only this service knows to a problem. */
  readonly explain?: (error: unknown, request: FastifyRequest) => ServiceProblem | undefined
  /** Bytes. Default 1 MiB. */
  readonly bodyLimit?: number
  /** Default: no request is traced. */
  readonly requestTracing?: RequestTracing | undefined
}

const plainId = /^[\w.-]{1,64}$/

/**
 * A Fastify app with what every service has: /livez, /readyz and /metrics (nginx exposes none of them), errors as
 * application/problem+json, the request id set by nginx, and a histogram of response times. Requests are not logged.
 */
export function createHttpApp(options: HttpAppOptions) {
  const { logger, registry, isReady, whyNotReady, explain, bodyLimit = 1_048_576, requestTracing } = options
  const app = fastify({
    loggerInstance: logger as FastifyBaseLogger,
    // A log line for each click would cost more than the click itself.
    logController: new LogController({ disableRequestLogging: true }),
    // No logger for each request either: the only log line about a request adds the id itself.
    childLoggerFactory: (logger) => logger,
    bodyLimit,
    // Accept only what nginx may set, 1 to 64 plain characters, so that no client can write to our logs.
    requestIdHeader: false,
    genReqId: (request) => {
      const given = request.headers['x-request-id']
      return typeof given === 'string' && plainId.test(given) ? given : randomUUID()
    },
    // Longer than the 60 s for which nginx keeps an idle connection, so that nginx always closes it first.
    keepAliveTimeout: 72_000,
    requestTimeout: 15_000,
    forceCloseConnections: 'idle',
    // Errors that Fastify and Node detect before routing have the same format as all others.
    frameworkErrors: (error, _request, reply) => sendProblem(reply as FastifyReply, toServiceProblem(error)),
    clientErrorHandler: refuseConnection,
    // Requests are answered as usual during a graceful close; see graceful-close.ts.
    return503OnClosing: false,
  }).withTypeProvider<TypeBoxTypeProvider>()

  const traffic = trackTraffic(app.server)
  const methodsOf = recordMethods(app)
  const observeUnrouted = recordResponseTimes(app, registry)
  if (requestTracing !== undefined) traceRequests(app, requestTracing)
  new Gauge({
    name: 'http_requests_in_flight',
    help: 'Requests that have arrived and are not answered yet.',
    registers: [registry],
    collect() {
      this.set(traffic.inFlight.count)
    },
  })
  app.setValidatorCompiler(TypeBoxValidatorCompiler)
  app.setErrorHandler((error, request, reply) => {
    const explained = explain?.(error, request as FastifyRequest) ?? toServiceProblem(error)
    if (explained.problem.status === 500)
      logger.error(
        { err: explained.cause ?? error, requestId: request.id, ...request.span?.logFields },
        'request failed',
      )
    return sendProblem(reply as FastifyReply, explained)
  })
  app.setNotFoundHandler((request, reply) => {
    observeUnrouted(reply.elapsedTime)
    const path = pathOf(request.url)
    const allow = methodsOf(path).join(', ')
    if (allow !== '') {
      const detail = `${path} does not support ${request.method}. It supports ${allow}.`
      throw new ServiceProblem('method_not_allowed', commonProblems.method_not_allowed, detail, { headers: { allow } })
    }
    throw new ServiceProblem('not_found', commonProblems.not_found, `There is no ${request.method} ${path} here.`)
  })

  app.get('/livez', () => ({ status: 'alive' }))
  app.get('/readyz', async (_request, reply) => {
    const ready = !traffic.closing && (await isReady())
    if (ready) return reply.send({ status: 'ready' })
    const reason = traffic.closing ? 'closing' : whyNotReady?.()
    return reply.code(503).send({ status: 'not_ready', ...(reason !== undefined && { reason }) })
  })
  app.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()))
  return app
}

export type HttpApp = ReturnType<typeof createHttpApp>

function sendProblem(reply: FastifyReply, { problem, retryAfterSeconds, headers }: ServiceProblem): FastifyReply {
  reply.headers(headers)
  if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds)
  return reply.code(problem.status).type('application/problem+json').serializer(JSON.stringify).send(problem)
}

/** Answers malformed HTTP and request timeouts on the socket itself, as there is no request to reply to. */
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

function pathOf(url: string): string {
  return url.split('?', 1)[0]?.slice(0, 256) ?? ''
}
