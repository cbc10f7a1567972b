import { isAscii, isUtf8 } from 'node:buffer'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip } from 'node:zlib'
import { commonProblems, ServiceProblem } from '@clicktally/http/service-problem.ts'
import type { FastifyRequest } from 'fastify'
import { problem } from '../errors.ts'
import { InflationSlots } from './inflation-slots.ts'

const inflaters = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  br: promisify(brotliDecompress),
} as const

/** The limit of nginx for a body that stays in its memory, in bytes. Fastify's `bodyLimit` for routes that take no large batches. */
export const smallBodyBytes = 128 * 1024

/** More would wait for a thread: Node has four. */
const slots = new InflationSlots(8, 16 * 1024 * 1024)

/**
 * Fastify's content type parser: decompresses the body, at most to the `bodyLimit` of its route, and decodes it as UTF-8. Fails with
 * a {@link ServiceProblem}: encoding_unsupported, body_encoding_broken, inflated_too_large, inflation_busy, body_not_utf8.
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
    inflate(encoding, body, request.routeOptions.bodyLimit).then((bytes) => decode(bytes, done), done)
  }
}

function decode(bytes: Buffer, done: (error: Error | null, text?: string) => void): void {
  // Most bodies are ASCII, which is detected and decoded several times faster.
  if (isAscii(bytes)) done(null, bytes.toString('latin1'))
  else if (isUtf8(bytes)) done(null, bytes.toString('utf8'))
  else done(problem('body_not_utf8', 'The body must be UTF-8 text, but contains an invalid byte sequence.'))
}

/**
 * Returns the text that {@link readText} decoded, and removes it from the request, which lives until the confirm.
 *
 * @throws {ServiceProblem} media_type_unsupported if there is neither a content type nor a body: Fastify then calls no
 * parser.
 */
export function takeBody(request: FastifyRequest): string {
  const { body } = request
  request.body = undefined
  if (typeof body === 'string') return body
  throw new ServiceProblem(
    'media_type_unsupported',
    commonProblems.media_type_unsupported,
    'The request has no body and no Content-Type.',
  )
}

async function inflate(encoding: string, body: Buffer, maxBytes: number): Promise<Buffer> {
  if (!Object.hasOwn(inflaters, encoding)) {
    throw problem('encoding_unsupported', 'Content-Encoding must be gzip or br, applied once.')
  }
  const inflater = inflaters[encoding as keyof typeof inflaters]
  return await slots.run(body.length, async () => {
    try {
      // Stops at the limit: a decompression bomb is never fully inflated.
      return await inflater(body, { maxOutputLength: maxBytes })
    } catch (error) {
      throw inflationProblem(encoding, maxBytes, error as NodeJS.ErrnoException)
    }
  })
}

function inflationProblem(encoding: string, maxBytes: number, error: NodeJS.ErrnoException): ServiceProblem {
  if (error.code === 'ERR_BUFFER_TOO_LARGE') {
    return problem('inflated_too_large', `The decompressed body exceeds ${maxBytes} bytes.`, error)
  }
  return problem('body_encoding_broken', `The body cannot be decompressed as ${encoding}: ${error.message}.`, error)
}

/** @throws {ServiceProblem} body_not_json, with the position of the syntax error. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw problem('body_not_json', `The body is not valid JSON: ${positionIn((error as Error).message)}.`, error)
  }
}

/** The problem for a truncated body, which is not parsed: it ends inside an array, an object or a string. */
export function cutOffBody(): ServiceProblem {
  return problem('body_not_json', 'The body is not valid JSON: it ends inside an array, an object or a string.')
}

/** V8's message quotes the text around the error. Returns only the reason and the position, as clicks must not be logged. */
function positionIn(message: string): string {
  const [reason] = message.split(/,? (?:\.\.\.)?"/, 1)
  const at = /\(line \d+ column \d+\)|at position \d+/.exec(message)?.[0]
  return at === undefined || reason?.includes(at) ? (reason ?? 'syntax error') : `${reason} ${at}`
}
