import { KeyRing } from '@clicktally/keys/key-ring.ts'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { DerivedVisitors } from '../access/derived-visitors.ts'
import { SenderAccess } from '../access/sender-access.ts'
import { createApp } from '../app.ts'
import { RequestAttributes } from '../attributes/request-attributes.ts'
import { ClickMetrics } from '../click-metrics.ts'
import type { RequestBody } from './hostile-bodies.ts'

export interface BodyCost {
  readonly name: string
  readonly status: number
  /** Of this thread, for one request, in milliseconds. */
  readonly cpuMs: number
  readonly bodyBytes: number
  readonly answerBytes: number
}

/** Enough for the clock of a thread's CPU time, which on some systems moves in steps of 4 ms. */
const requests = 8

/**
 * What each body costs ingest from its arrival to its answer, the broker left out: a click is confirmed at once. CPU time of
 * this thread, so that other processes on the machine do not count.
 */
export async function bodyCosts(bodies: readonly RequestBody[]): Promise<BodyCost[]> {
  const registry = new Registry()
  const publisher = { isReady: true, refusal: undefined, publish: async () => {} }
  const ring = new KeyRing()
  const app = createApp(
    {
      publisher,
      access: new SenderAccess(ring, true),
      visitors: new DerivedVisitors(ring),
      attributes: new RequestAttributes(),
      metrics: new ClickMetrics(registry),
      windowMs: 72 * 3_600_000,
    },
    pino({ level: 'silent' }),
    registry,
  )
  try {
    const costs: BodyCost[] = []
    for (const { name, path, contentType, text } of bodies) {
      const payload = Buffer.from(text)
      const send = () => app.inject({ method: 'POST', url: path, payload, headers: { 'content-type': contentType } })
      const { statusCode: status, rawPayload } = await send()
      const before = process.threadCpuUsage()
      for (let request = 0; request < requests; request += 1) await send()
      const { user, system } = process.threadCpuUsage(before)
      const cpuMs = (user + system) / 1_000 / requests
      costs.push({ name, status, cpuMs, bodyBytes: payload.length, answerBytes: rawPayload.length })
    }
    return costs
  } finally {
    await app.close()
  }
}
