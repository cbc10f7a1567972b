/**
 * Ranks from 0 to `length - 1` as Zipf's law has them: rank k is drawn in proportion to 1 / (k + 1)^exponent, so a few
 * are drawn all the time and most hardly ever.
 */
export class Zipf {
  readonly #upTo: Float64Array

  constructor(length: number, exponent: number) {
    this.#upTo = new Float64Array(length)
    let sum = 0
    for (let rank = 0; rank < length; rank++) {
      sum += (rank + 1) ** -exponent
      this.#upTo[rank] = sum
    }
  }

  /** @param share a random number from 0 up to, but not including, 1 */
  rank(share: number): number {
    const last = this.#upTo.length - 1
    const wanted = share * (this.#upTo[last] ?? 0)
    let low = 0
    let high = last
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#upTo[middle] ?? 0) > wanted) high = middle
      else low = middle + 1
    }
    return low
  }
}
