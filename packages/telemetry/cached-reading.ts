/** Several metrics of one scrape share a reading; so do scrapes that follow each other closely. */
const maxAgeMs = 500
/** Less than the timeout of a scrape, so that the other metrics are served while the database hangs. */
const timeoutMs = 2_000

/** A value for metrics that is read from elsewhere, at most twice a second and only when there is a scrape. */
export class CachedReading<Value> {
  readonly #read: () => Promise<Value>
  #latest: Promise<Value | undefined> = Promise.resolve(undefined)
  #readAtMs = -Infinity

  constructor(read: () => Promise<Value>) {
    this.#read = read
  }

  /** @returns undefined if the value could not be read within 2 s */
  get(): Promise<Value | undefined> {
    const nowMs = performance.now()
    if (nowMs - this.#readAtMs > maxAgeMs) {
      this.#readAtMs = nowMs
      this.#latest = withDeadline(this.#read())
    }
    return this.#latest
  }
}

function withDeadline<Value>(reading: Promise<Value>): Promise<Value | undefined> {
  const { promise, resolve } = Promise.withResolvers<Value | undefined>()
  const deadline = setTimeout(() => resolve(undefined), timeoutMs)
  reading.then(resolve, () => resolve(undefined)).finally(() => clearTimeout(deadline))
  return promise
}
