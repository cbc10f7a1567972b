import { hostUrls } from './host-urls.ts'

/**
 * Chooses the host for the next connection: one that is not known to have failed, else the one whose failure is longest ago. So every
 * host is tried before one is tried twice, and a host that works is kept.
 *
 * The hosts are shuffled once, so that many processes spread over them. No timer forgets a failure: it only orders hosts, and a
 * failed host is tried again when all others have failed since.
 */
export class HostChoice {
  readonly #urls: readonly string[]
  /** The numbers of the last failures; a host without one is not known to have failed. */
  readonly #failures = new Map<string, number>()
  #failureCount = 0

  /**
   * @param url with one host or several: see hostUrls()
   * @param random from 0 to below 1
   * @throws {TypeError} of hostUrls()
   */
  constructor(url: string, random: () => number = Math.random) {
    this.#urls = shuffled(hostUrls(url), random)
  }

  get size(): number {
    return this.#urls.length
  }

  /** How often any of them has failed so far. */
  get failureCount(): number {
    return this.#failureCount
  }

  /** The URL of the host to connect to next. Stays the same until it fails. */
  next(): string {
    const failureOf = (url: string) => this.#failures.get(url) ?? 0
    return this.#urls.reduce((best, url) => (failureOf(url) < failureOf(best) ? url : best))
  }

  /** A connection to this host failed, was lost, or was given up. */
  failed(url: string): void {
    this.#failureCount += 1
    this.#failures.set(url, this.#failureCount)
  }

  /** A connection to this host works. */
  worked(url: string): void {
    this.#failures.delete(url)
  }
}

/** Fisher and Yates. */
function shuffled(urls: readonly string[], random: () => number): string[] {
  const all = [...urls]
  for (let last = all.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1))
    ;[all[last], all[other]] = [all[other] as string, all[last] as string]
  }
  return all
}
