import { isAscii, isUtf8 } from 'node:buffer'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip } from 'node:zlib'
import { batchLimits } from '@clicktally/contract/click-event.ts'
import { commonProblems, ServiceProblem } from '@clicktally/http/service-problem.ts'
import type { FastifyRequest } from 'fastify'
import { problem } from './errors.ts'

const inflaters = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  br: promisify(brotliDecompress),
} as const

/**
 * Fastify's parser of every body: hands over the text: inflated, at most 1 MiB, valid UTF-8; or a {@link ServiceProblem}
 * encoding_unsupported, body_encoding_broken, inflated_too_large, body_not_utf8.
 */
export function readText(
  request: FastifyRequest,
  body: Buffer,
  done: (error: Error | null, text?: string) => void,
): void {
  const encoding = request.headers['content-encoding']?.trim().toLowerCase()
  if (encoding === undefined || encoding === 'identity') {
    decode(body, done)
  } else {
    inflate(encoding, body).then((bytes) => decode(bytes, done), done)
  }
}

function decode(bytes: Buffer, done: (error: Error | null, text?: string) => void): void {
  // Most are ASCII: found out and read at several times the speed.
  if (isAscii(bytes)) done(null, bytes.toString('latin1'))
  else if (isUtf8(bytes)) done(null, bytes.toString('utf8'))
  else done(problem('body_not_utf8', 'The body must be UTF-8 text; it has a byte sequence that is not.'))
}

/**
 * Takes what {@link readText} has made of a request's body out of the request, which outlives its use by far.
 *
 * @throws {ServiceProblem} media_type_unsupported, where there is neither a content type nor a body: Fastify then asks no
 * parser, and the route is reached without one.
 */
export function takeBody(request: FastifyRequest): string {
  const { body } = request
  request.body = undefined
  if (typeof body === 'string') return body
  throw new ServiceProblem(
    'media_type_unsupported',
    commonProblems.media_type_unsupported,
    'The request has no body and no content type.',
  )
}

async function inflate(encoding: string, body: Buffer): Promise<Buffer> {
  if (!Object.hasOwn(inflaters, encoding)) {
    throw problem('encoding_unsupported', 'Content-Encoding may be gzip or br, one of them, once.')
  }
  try {
    // Stops at the limit: a bomb is never inflated to its end.
    return await inflaters[encoding as keyof typeof inflaters](body, { maxOutputLength: batchLimits.bodyBytes })
  } catch (error) {
    throw inflationProblem(encoding, error as NodeJS.ErrnoException)
  }
}

function inflationProblem(encoding: string, error: NodeJS.ErrnoException): ServiceProblem {
  if (error.code === 'ERR_BUFFER_TOO_LARGE') {
    return problem('inflated_too_large', `The body is larger than ${batchLimits.bodyBytes} bytes when inflated.`, error)
  }
  return problem(
    'body_encoding_broken',
    `The body says it is ${encoding}, but it is broken or cut off: ${error.message}.`,
    error,
  )
}

/** @throws {ServiceProblem} body_not_json, saying where it stops being JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw problem('body_not_json', `The body is not JSON: ${positionIn((error as Error).message)}.`, error)
  }
}

/** What is not worth parsing, and would not be JSON: it ends inside an array, an object or a string. */
export function cutOffBody(): ServiceProblem {
  return problem('body_not_json', 'The body is not JSON: it ends inside an array, an object or a string.')
}

/** V8 quotes the text around the error; only the reason and the place go back, and into no log. */
function positionIn(message: string): string {
  const [reason] = message.split(/,? (?:\.\.\.)?"/, 1)
  const at = /\(line \d+ column \d+\)|at position \d+/.exec(message)?.[0]
  return at === undefined || reason?.includes(at) ? (reason ?? 'syntax error') : `${reason} ${at}`
}
