import type { Socket } from 'node:net'

export interface ProxyLaneOptions {
  readonly from: Socket
  readonly to: Socket
  readonly silent: boolean
  /** Asked for each chunk that is read; in milliseconds. */
  readonly latencyMs: () => number
  /** After how many of the chunk's bytes the connection is to be cut; undefined to let it pass. */
  readonly cutAfter: (chunk: Buffer) => number | undefined
  /** Cuts the whole connection. */
  readonly cut: () => void
}

type Happening = Buffer | 'end' | 'reset' | 'cut'

/** What is read and not yet forwarded: with 200 ms of latency this still lets 20 MB a second through. */
const maxHeldBytes = 4 * 1024 * 1024

/**
 * One direction of a proxied connection: what happens at `from` (bytes, the end of its sending, a reset) happens at `to`,
 * in this order, after the latency, and not while the lane is silent. What is held is bounded: past that `from` is not read.
 */
export class ProxyLane {
  readonly #options: ProxyLaneOptions
  readonly #held: { readonly dueAtMs: number; readonly what: Happening }[] = []
  #heldBytes = 0
  #silent: boolean
  /** `to` has more in its buffer than it wants. */
  #full = false
  /** Nothing more will happen at `to`. */
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

  #hold(what: Happening): void {
    if (this.#over) return
    const dueAtMs = performance.now() + this.#options.latencyMs()
    // Never before what came first, whatever the latency was then.
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
      this.#happen(next.what)
    }
    this.#readOrPause()
  }

  #happen(what: Happening): void {
    const { to, cut } = this.#options
    this.#over = what === 'reset' || what === 'cut'
    if (what === 'end') to.end()
    else if (what === 'reset') to.resetAndDestroy()
    else if (what === 'cut') {
      // What was forwarded before has its chance to leave: a socket that is reset drops what it has not written.
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
    // Read on, so that `from` meets its end and closes.
    this.#readOrPause()
  }
}
