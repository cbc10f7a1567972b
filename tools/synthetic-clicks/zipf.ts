/**
 * Draws ranks from 0 to `length - 1` by Zipf's law: rank k has a probability proportional to 1 / (k + 1)^exponent.
 */
export class Zipf {
  readonly #cumulative: Float64Array

  constructor(length: number, exponent: number) {
    this.#cumulative = new Float64Array(length)
    let sum = 0
    for (let rank = 0; rank < length; rank++) {
      sum += (rank + 1) ** -exponent
      this.#cumulative[rank] = sum
    }
  }

  /** @param share a random number in [0, 1) */
  rank(share: number): number {
    const last = this.#cumulative.length - 1
    const wanted = share * (this.#cumulative[last] ?? 0)
    let low = 0
    let high = last
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#cumulative[middle] ?? 0) > wanted) high = middle
      else low = middle + 1
    }
    return low
  }
}
