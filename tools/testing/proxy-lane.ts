import type { Socket } from 'node:net'

export interface ProxyLaneOptions {
  readonly from: Socket
  readonly to: Socket
  readonly silent: boolean
  /** The latency in milliseconds. Called for each chunk that is read. */
  readonly latencyMs: () => number
  /** The number of the chunk's bytes after which the connection is cut; undefined forwards the whole chunk. */
  readonly cutAfter: (chunk: Buffer) => number | undefined
  /** Cuts the whole connection. */
  readonly cut: () => void
}

type LaneEvent = Buffer | 'end' | 'reset' | 'cut'

/** The limit of bytes that are read but not yet forwarded. With a latency of 200 ms it allows 20 MB per second. */
const maxHeldBytes = 4 * 1024 * 1024

/**
 * One direction of a proxied connection. Bytes, a half-close or a reset at `from` are forwarded to `to`, in the same order and after
 * the latency, but not while the lane is silent. Held bytes are bounded: above the limit `from` is not read.
 */
export class ProxyLane {
  readonly #options: ProxyLaneOptions
  readonly #held: { readonly dueAtMs: number; readonly what: LaneEvent }[] = []
  #heldBytes = 0
  #silent: boolean
  /** The write buffer of `to` is full. */
  #full = false
  /** Nothing more is sent to `to`. */
  #over = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: ProxyLaneOptions) {
    this.#options = options
    this.#silent = options.silent
    const { from, to } = options
    from.on('data', (chunk) => this.#read(chunk))
    from.on('end', () => this.#hold('end'))
    from.on('error', () => this.#hold('reset'))
    to.on('drain', () => {
      this.#full = false
      this.#forward()
    })
    to.on('close', () => this.#forget())
    this.#readOrPause()
  }

  silence(): void {
    this.#silent = true
    this.#readOrPause()
  }

  resume(): void {
    this.#silent = false
    this.#forward()
  }

  #read(chunk: Buffer): void {
    const cutAfter = this.#options.cutAfter(chunk)
    if (cutAfter === undefined) this.#hold(chunk)
    else {
      if (cutAfter > 0) this.#hold(chunk.subarray(0, cutAfter))
      this.#hold('cut')
    }
  }

  #hold(what: LaneEvent): void {
    if (this.#over) return
    const dueAtMs = performance.now() + this.#options.latencyMs()
    // Never before earlier events, even if the latency was longer then.
    this.#held.push({ what, dueAtMs: Math.max(dueAtMs, this.#held.at(-1)?.dueAtMs ?? 0) })
    if (typeof what !== 'string') this.#heldBytes += what.length
    this.#forward()
  }

  #forward(): void {
    clearTimeout(this.#timer)
    while (!this.#silent && !this.#full && !this.#over) {
      const [next] = this.#held
      if (next === undefined) break
      const waitMs = next.dueAtMs - performance.now()
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#forward(), Math.ceil(waitMs))
        break
      }
      this.#held.shift()
      this.#apply(next.what)
    }
    this.#readOrPause()
  }

  #apply(what: LaneEvent): void {
    const { to, cut } = this.#options
    this.#over = what === 'reset' || what === 'cut'
    if (what === 'end') to.end()
    else if (what === 'reset') to.resetAndDestroy()
    else if (what === 'cut') {
      // Flush first: a socket that is reset drops what it has not written.
      if (to.writableLength === 0) cut()
      else to.write('', cut)
    } else {
      this.#heldBytes -= what.length
      this.#full = !to.write(what)
    }
  }

  #readOrPause(): void {
    const { from } = this.#options
    if (!this.#over && (this.#silent || this.#full || this.#heldBytes >= maxHeldBytes)) from.pause()
    else from.resume()
  }

  #forget(): void {
    clearTimeout(this.#timer)
    this.#over = true
    this.#held.length = 0
    // Keep reading, so that `from` reaches its end and closes.
    this.#readOrPause()
  }
}
