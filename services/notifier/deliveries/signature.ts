import { createHmac } from 'node:crypto'

/** The headers of a request, as Standard Webhooks defines them (https://www.standardwebhooks.com). */
export interface SignedHeaders {
  readonly 'webhook-id': string
  /** Seconds since 1970. Receivers refuse old ones, so that nobody can send a copy later. */
  readonly 'webhook-timestamp': string
  readonly 'webhook-signature': string
}

/**
 * Signs a request: HMAC-SHA256 of id, time and body, with each of the secrets. The id is the same at each attempt, the time is not.
 *
 * @param id without a dot
 * @param secrets the keys, not their texts `whsec_…`
 */
export function sign(id: string, nowMs: number, body: string, secrets: readonly Buffer[]): SignedHeaders {
  const timestamp = String(Math.floor(nowMs / 1_000))
  const signatures = secrets.map((secret) => {
    const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')
    return `v1,${signature}`
  })
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') }
}
