import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '@clicktally/testing/until.ts'
import { preloading, withVariables } from '../changed-service.ts'
import type { Breaking, Scenario, Stage } from '../stage.ts'

/**
 * A request without an id. The first ingest is killed after it has published the click and before it receives the confirm. nginx
 * retries at the second ingest, whose clock differs. The click is counted once, under the id in the response.
 */
export const scenario: Scenario = {
  number: 14,
  title: 'slow requests and differing clocks',
  async run(stage) {
    const { system, short } = stage
    const [, second = ''] = system.ingests
    const clock = preloading('clock-shift', { CLOCK_SHIFT_MS: String(5 * 3_600_000) })
    await withVariables(system.program(second), clock, async () => {
      await stage.row('clocks 5 h apart, ingest killed', (breaking) => retried(stage, breaking, 'clocks', 0))
    })
    // Over a minute, the limit up to which an ingest once trusted the request's start time.
    const bodyMs = short ? 2_000 : 66_000
    await stage.row('slow request body, ingest killed', (breaking) => retried(stage, breaking, 'slow', bodyMs))
  },
}

async function retried({ system }: Stage, breaking: Breaking, name: string, bodyMs: number): Promise<void> {
  const { load } = breaking
  const target = `fault-14-${name}`
  const request = new SlowRequest(system.nginx, system.ownerKey, JSON.stringify({ target }))
  try {
    await request.sendAllButLast(bodyMs)
    await load.pause()
    breaking.broken()
    // Messages arrive at the broker, but their confirms do not arrive at the ingests.
    system.links.ingestToBroker.silence('toClient')
    request.sendLast()
    const holders = async () => {
      const held = await Promise.all(system.endpoints.map(heldClicks))
      return system.ingests.filter((_, index) => (held[index] ?? 0) > 0)
    }
    let first = ''
    const isHeld = async () => {
      first = (await holders())[0] ?? ''
      return first !== ''
    }
    await until(isHeld, 'an ingest to hold the click')
    const killed = system.kill(first)
    await until(async () => (await holders()).some((other) => other !== first), 'nginx to retry at the other ingest')
    system.links.ingestToBroker.resume()
    breaking.restored()
    load.resume()
    const { id } = await request.accepted()
    load.remember([{ id, target }], true)
    await killed
    await breaking.recovered()
  } finally {
    system.links.ingestToBroker.resume()
    load.resume()
    request.close()
  }
}

/** Clicks that an ingest holds until they are confirmed; 0 if it does not respond. */
async function heldClicks(endpoint: string): Promise<number> {
  const metrics = await fetch(`${endpoint}/metrics`, { signal: AbortSignal.timeout(1_000) }).then(
    (response) => response.text(),
    () => '',
  )
  return Number(/^clicktally_held_clicks(?:\{.*\})? (\d+)$/m.exec(metrics)?.[1] ?? 0)
}

/** A POST whose body is sent byte by byte, over its own connection. */
class SlowRequest {
  readonly #socket: Socket
  readonly #body: string
  readonly #answer: Promise<string>

  constructor(baseUrl: string, key: string, body: string) {
    const { hostname, port, host } = new URL(baseUrl)
    this.#body = body
    this.#socket = connect(Number(port), hostname)
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    this.#answer = promise
    // It is awaited only after the last byte; an earlier failure must not be an unhandled rejection.
    promise.catch(() => {})
    let text = ''
    this.#socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
    this.#socket.once('end', () => resolve(text)).once('error', reject)
    this.#socket.write(
      `POST /v1/events HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n` +
        `authorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
    )
  }

  /** @param durationMs total time; each pause must be shorter than the 10 s that nginx waits */
  async sendAllButLast(durationMs: number): Promise<void> {
    for (const byte of this.#body.slice(0, -1)) {
      this.#socket.write(byte)
      await sleep(durationMs / this.#body.length)
    }
  }

  sendLast(): void {
    this.#socket.write(this.#body.slice(-1))
  }

  /** @throws if it was not answered with 202 */
  async accepted(): Promise<{ id: string }> {
    const answer = await this.#answer
    const [head = '', body = ''] = answer.split('\r\n\r\n')
    if (!head.startsWith('HTTP/1.1 202')) throw new Error(`the request was answered: ${answer.slice(0, 300)}`)
    const { id } = JSON.parse(/\{.*\}/s.exec(body)?.[0] ?? '{}') as { id?: string }
    if (id === undefined) throw new Error(`the answer has no id: ${body}`)
    return { id }
  }

  close(): void {
    this.#socket.destroy()
  }
}
