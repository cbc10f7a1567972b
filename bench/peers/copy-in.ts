import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Client, Connection, Submittable } from 'pg'

/** Of one CopyData message: larger ones gain nothing. */
const chunkBytes = 256 * 1024
const copyData = 0x64

/** A `COPY … FROM STDIN` and its bytes, as a query of node-postgres: sent chunk by chunk, at the server's pace. */
export class CopyIn implements Submittable {
  readonly #statement: string
  readonly #bytes: Buffer
  readonly #done = Promise.withResolvers<void>()

  private constructor(statement: string, bytes: Buffer) {
    this.#statement = statement
    this.#bytes = bytes
  }

  /** Resolves when it is committed. @throws what the server said */
  static async run(client: Client, statement: string, bytes: Buffer): Promise<void> {
    const copy = new CopyIn(statement, bytes)
    client.query(copy)
    await copy.#done.promise
  }

  submit(connection: Connection): void {
    connection.query(this.#statement)
  }

  handleCopyInResponse(connection: Connection & { stream: Socket; endCopyFrom(): void }): void {
    this.#send(connection).catch(this.#done.reject)
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.#done.resolve()
  }

  handleError(error: Error): void {
    this.#done.reject(error)
  }

  async #send(connection: { stream: Socket; endCopyFrom(): void }): Promise<void> {
    const { stream } = connection
    for (let start = 0; start < this.#bytes.length; start += chunkBytes) {
      const chunk = this.#bytes.subarray(start, start + chunkBytes)
      const head = Buffer.alloc(5)
      head[0] = copyData
      // The length counts itself.
      head.writeInt32BE(chunk.length + 4, 1)
      stream.cork()
      stream.write(head)
      const hasRoom = stream.write(chunk)
      stream.uncork()
      if (!hasRoom) await once(stream, 'drain')
    }
    connection.endCopyFrom()
  }
}
