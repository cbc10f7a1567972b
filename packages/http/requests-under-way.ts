import type { ServerResponse } from 'node:http'

/**
 * The answers of the requests that are under way, each until it is closed.
 *
 * In places that are used again, and not in a Set: whenever V8 makes a Set's table anew, the old one refers to the new one,
 * and to what was in it. So one old table that has grown old keeps all later ones until the next full collection, and with them
 * the requests that were under way at the time. They were nine tenths of what collections of young garbage had to copy.
 */
export class RequestsUnderWay {
  readonly #places: (ServerResponse | undefined)[] = []
  readonly #free: number[] = []

  get count(): number {
    return this.#places.length - this.#free.length
  }

  add(response: ServerResponse): void {
    const place = this.#free.pop() ?? this.#places.length
    this.#places[place] = response
    response.on('close', () => {
      this.#places[place] = undefined
      this.#free.push(place)
    })
  }

  *[Symbol.iterator](): Generator<ServerResponse> {
    for (const response of this.#places) if (response !== undefined) yield response
  }
}
