import type { Server as HttpServer, ServerResponse } from 'node:http'
import { Server } from 'node:net'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { RequestsInFlight } from './requests-in-flight.ts'

/** What closeGracefully() needs to know about a server. */
interface Traffic {
  closing: boolean
  /** Requests since the start. */
  arrived: number
  readonly inFlight: RequestsInFlight
  /** Responses of sendOpenStream(). They are in flight too. */
  readonly openStreams: Set<ServerResponse>
}
const trafficOf = new WeakMap<object, Traffic>()

/** Tracks the requests of a server, so that closeGracefully() can wait for them. */
export function trackTraffic(server: HttpServer): Pick<Traffic, 'closing' | 'inFlight'> {
  const traffic: Traffic = { closing: false, arrived: 0, inFlight: new RequestsInFlight(), openStreams: new Set() }
  trafficOf.set(server, traffic)
  // Before Fastify's listener, which may answer synchronously.
  server.prependListener('request', (_request, response) => {
    traffic.arrived += 1
    traffic.inFlight.add(response)
    if (traffic.closing) response.setHeader('connection', 'close')
  })
  return traffic
}

/**
 * Sends a stream that does not end by itself, such as server-sent events. It ends when `source` does, when the client
 * disconnects, or as soon as closeGracefully() begins; `source` is destroyed then.
 */
export function sendOpenStream(reply: FastifyReply, source: Readable): FastifyReply {
  const response = reply.raw
  // The connection is not worth reusing, and so it closes with the stream.
  response.setHeader('connection', 'close')
  reply.send(source)
  const traffic = trafficOf.get(reply.server.server)
  if (traffic?.closing) response.end()
  else if (traffic !== undefined) {
    traffic.openStreams.add(response)
    response.on('close', () => traffic.openStreams.delete(response))
  }
  return reply
}

/**
 * Closes without failing a request: stops listening, ends open streams, tells each open connection to close with its next
 * response, waits for the requests in flight (at most `timeoutMs`), and only then closes the app. Node's own close would cut
 * idle keep-alive connections at once, just when nginx may be sending a request on one.
 */
export async function closeGracefully(
  app: Pick<FastifyInstance, 'server' | 'close'>,
  timeoutMs = 10_000,
): Promise<void> {
  const { server } = app
  const traffic = trafficOf.get(server)
  Server.prototype.close.call(server)
  if (traffic !== undefined) {
    traffic.closing = true
    for (const response of traffic.inFlight) if (!response.headersSent) response.setHeader('connection', 'close')
    for (const response of traffic.openStreams) response.end()
    const deadline = performance.now() + timeoutMs
    // A connection that carried nothing for this long is idle at nginx too, which retries if it is cut all the same.
    const quietMs = 500
    let quietSince = performance.now()
    let seen = traffic.arrived
    while (performance.now() < deadline && (await countConnections(server)) > 0) {
      // An open stream has been ended: a client that does not read its end is not waited for.
      const isBusy = traffic.inFlight.count > traffic.openStreams.size
      if (traffic.arrived !== seen || isBusy) quietSince = performance.now()
      seen = traffic.arrived
      if (performance.now() - quietSince > quietMs) break
      await sleep(25)
    }
    // What is still open is idle, past the deadline, or an incomplete request that may never be completed.
    server.closeAllConnections()
  }
  await app.close().catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_SERVER_NOT_RUNNING') throw error
  })
}

function countConnections(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((_error, count) => resolve(count ?? 0)))
}
