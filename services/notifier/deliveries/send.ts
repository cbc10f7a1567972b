import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP } from 'node:net'
import { AddressRefused, isPublicAddress, lookupPublic } from './public-address.ts'

export interface SendOptions {
  /** `any` allows http, and addresses that are not public: for a laptop, or receivers in the operator's own network. */
  readonly addresses: 'public' | 'any'
  /** Milliseconds for the whole request. */
  readonly timeoutMs: number
}

/** What became of a request. */
export interface Outcome {
  /** Undefined if there was no response. */
  readonly status: number | undefined
  /** Why it counts as failed, for people; undefined for a status of 200 to 299. */
  readonly error: string | undefined
  /** The pause that the receiver asks for, in milliseconds; 0 if it asks for none. */
  readonly retryAfterMs: number
}

const maxResponseBytes = 65_536

/** What people call these errors. */
const reasons: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  ETIMEDOUT: 'connection timed out',
  ENOTFOUND: 'host not found',
  EAI_AGAIN: 'host not found',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is self-signed',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate cannot be verified',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
}

/**
 * Sends one request and never throws. Follows no redirect, which could lead to another address; and keeps nothing of the response
 * but the status, so that a webhook cannot be used to read what is behind it.
 */
export async function send(
  to: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  { addresses, timeoutMs }: SendOptions,
): Promise<Outcome> {
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    const url = new URL(to)
    if (addresses === 'public') refuseLocal(url)
    const { status, retryAfter } = await answerTo(url, headers, body, signal, addresses === 'public')
    const isDone = status >= 200 && status < 300
    const redirects = status >= 300 && status < 400 ? '; redirects are not followed' : ''
    return {
      status,
      error: isDone ? undefined : `answered ${status}${redirects}`,
      retryAfterMs: retryAfterMs(retryAfter),
    }
  } catch (error) {
    return { status: undefined, error: signal.aborted ? late(timeoutMs) : reasonOf(error), retryAfterMs: 0 }
  }
}

/** A URL with an address needs no look-up, so that nothing else would check it. */
function refuseLocal({ protocol, hostname }: URL): void {
  const address = hostname.replace(/^\[|\]$/g, '')
  if (protocol !== 'https:' || (isIP(address) !== 0 && !isPublicAddress(address))) throw new AddressRefused(hostname)
}

function answerTo(
  url: URL,
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal,
  isPublicOnly: boolean,
): Promise<{ readonly status: number; readonly retryAfter: string | undefined }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; retryAfter: string | undefined }>()
  const options = {
    method: 'POST',
    headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
    // A connection of its own, closed afterwards: deliveries are rare.
    agent: false as const,
    signal,
    ...(isPublicOnly && { lookup: lookupPublic }),
  }
  let hasAnswer = false
  const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, options, (response) => {
    hasAnswer = true
    // The body is read to its end, for the receiver's sake, unless it is long. Nothing of it is kept.
    let bytes = 0
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > maxResponseBytes) response.destroy()
    })
    response.on('error', () => {})
    response.on('close', () =>
      resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] }),
    )
  })
  // A receiver that switches to another protocol. Without a listener Node would drop the connection and say nothing.
  request.on('upgrade', (response, socket) => {
    socket.destroy()
    resolve({ status: response.statusCode ?? 0, retryAfter: undefined })
  })
  request.on('error', reject)
  // A response may close after its request, and is waited for. Whatever else closes the request has no other end.
  request.on('close', () => {
    if (!hasAnswer) reject(new Error('connection closed'))
  })
  request.end(body)
  return promise
}

function reasonOf(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException
  // Of several addresses, none of which could be reached.
  const [first] = error instanceof AggregateError ? error.errors : []
  if (first !== undefined) return reasonOf(first)
  return error instanceof AddressRefused ? message : (reasons[code] ?? (code || message).slice(0, 128))
}

function late(timeoutMs: number): string {
  return `no answer in ${timeoutMs / 1_000} s`
}

/** Seconds or a date (RFC 9110). */
function retryAfterMs(text: string | undefined): number {
  if (text === undefined) return 0
  const ms = /^\d{1,6}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now()
  return Number.isFinite(ms) ? Math.max(0, ms) : 0
}
