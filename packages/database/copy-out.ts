import type { Connection, Submittable } from 'pg'

/** PGCOPY, a flag field of 4 bytes, and the length of the header's extension. */
const headerBytes = 19
const trailer = -1

/**
 * A query COPY … TO STDOUT (FORMAT BINARY). Node-postgres would decode each value of each row to an object; this passes the
 * bytes of a row to a function, which takes a tenth of the time.
 *
 * Pass it to `client.query()` of a client that does nothing else until the promise is settled.
 */
export class CopyOut implements Submittable {
  readonly #text: string
  readonly #onRow: (bytes: Buffer, at: number) => void | Promise<void>
  readonly #outcome = Promise.withResolvers<void>()
  #isFirst = true
  #failure: Error | undefined
  #pending: Promise<void> | undefined
  /** node-postgres calls it, and replaces it to apply its time limit. */
  callback: (error?: Error | null) => void = (error) => {
    const failure = this.#failure ?? error
    if (failure) this.#outcome.reject(failure)
    else Promise.resolve(this.#pending).then(() => this.#outcome.resolve(), this.#outcome.reject)
  }

  /**
   * @param onRow receives the fields of each row: a length of 4 bytes, -1 for null, and the value. The bytes are valid only
   *   during the call. If it returns a promise, the server is asked to wait for it: some more rows may come before, those that
   *   were already received.
   */
  constructor(text: string, onRow: (bytes: Buffer, at: number) => void | Promise<void>) {
    this.#text = text
    this.#onRow = onRow
  }

  /** Resolves when all rows were read. @throws the database error, or the error of `onRow` */
  get done(): Promise<void> {
    return this.#outcome.promise
  }

  submit(connection: Connection): void {
    connection.query(this.#text)
  }

  handleCopyData({ chunk }: { readonly chunk: Buffer }, { stream }: Connection): void {
    const at = this.#isFirst ? headerBytes : 0
    this.#isFirst = false
    if (this.#failure !== undefined || chunk.length < at + 2 || chunk.readInt16BE(at) === trailer) return
    try {
      const pending = this.#onRow(chunk, at + 2)
      if (pending === undefined) return
      stream.pause()
      const before = this.#pending
      const all = Promise.all([before, pending]).then(
        () => {
          if (this.#pending === all) this.#pending = undefined
          if (this.#pending === undefined) stream.resume()
        },
        (error) => {
          this.#failure = error as Error
          stream.resume()
        },
      )
      this.#pending = all
    } catch (error) {
      this.#failure = error as Error
    }
  }

  handleError(error: Error): void {
    this.callback(error)
  }

  handleReadyForQuery(): void {
    this.callback()
  }

  handleCommandComplete(): void {}
  handleEmptyQuery(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleCopyInResponse(): void {}
}
