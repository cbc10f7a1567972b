import type { ServerResponse } from 'node:http'

/**
 * The responses of the requests in flight, each until it is closed.
 *
 * An array with reused slots instead of a Set: when V8 rehashes a Set, the old table keeps a reference to the new one and to
 * its entries. One table promoted to the old generation then keeps all later tables alive until the next full collection, and
 * with them the requests that were in flight at the time. They were nine tenths of what minor collections had to copy.
 */
export class RequestsInFlight {
  readonly #slots: (ServerResponse | undefined)[] = []
  readonly #free: number[] = []

  get count(): number {
    return this.#slots.length - this.#free.length
  }

  add(response: ServerResponse): void {
    const slot = this.#free.pop() ?? this.#slots.length
    this.#slots[slot] = response
    response.on('close', () => {
      this.#slots[slot] = undefined
      this.#free.push(slot)
    })
  }

  *[Symbol.iterator](): Generator<ServerResponse> {
    for (const response of this.#slots) if (response !== undefined) yield response
  }
}
