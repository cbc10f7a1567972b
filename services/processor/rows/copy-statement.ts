import type { Connection, Submittable } from 'pg'

/**
 * A simple query of several COPY … FROM STDIN, sent together with all data: one round trip, and one transaction, since the
 * statements of a simple query are one. It does not wait until the server is ready for data; if a statement fails, the server
 * discards the rest of the data.
 *
 * Pass it to `client.query()` of a client that does nothing else until the promise is settled.
 */
export class CopyStatement implements Submittable {
  readonly #text: string
  readonly #data: Buffer
  readonly #outcome = Promise.withResolvers<void>()
  /** node-postgres calls it, and replaces it to apply its time limit. */
  callback: (error?: Error | null) => void = (error) => {
    if (error) this.#outcome.reject(error)
    else this.#outcome.resolve()
  }

  /** @param data of all COPY statements in `text`, in order, framed by BinaryCopy */
  constructor(text: string, data: Buffer) {
    this.#text = text
    this.#data = data
  }

  /** Resolves when it is committed. @throws the database error; nothing is done then, or the outcome is unknown */
  get done(): Promise<void> {
    return this.#outcome.promise
  }

  submit(connection: Connection): void {
    connection.stream.cork()
    connection.query(this.#text)
    connection.stream.write(this.#data)
    connection.stream.uncork()
  }

  handleError(error: Error): void {
    this.callback(error)
  }

  handleReadyForQuery(): void {
    this.callback()
  }

  handleCopyInResponse(): void {}
  handleCommandComplete(): void {}
  handleEmptyQuery(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
}
