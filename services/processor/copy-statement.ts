import type { Connection, Submittable } from 'pg'

/**
 * A simple query of several COPY … FROM STDIN with all their data, sent in one go: one round trip, and one transaction,
 * since the server makes one of the statements of a simple query. Nothing waits for the server to say that it is ready to
 * take data; what it does not want, because a statement failed, it reads and leaves.
 *
 * For `client.query()` of a client that does nothing else until the promise is settled.
 */
export class CopyStatement implements Submittable {
  readonly #text: string
  readonly #data: Buffer
  readonly #outcome = Promise.withResolvers<void>()
  /** node-postgres calls and replaces it, for its time limit. */
  callback: (error?: Error | null) => void = (error) => {
    if (error) this.#outcome.reject(error)
    else this.#outcome.resolve()
  }

  /** @param data of every COPY in `text`, in order, as BinaryCopy frames it */
  constructor(text: string, data: Buffer) {
    this.#text = text
    this.#data = data
  }

  /** Resolves when it is committed. @throws what PostgreSQL said: nothing of it is done then, or it is not known. */
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
