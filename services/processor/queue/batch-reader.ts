import { setImmediate as nextTurn } from 'node:timers/promises'
import { topology } from '@clicktally/broker/topology.ts'
import type { BinaryCopy } from '../rows/binary-copy.ts'
import type { ClickBatch } from '../rows/click-batch.ts'
import { type ConsumedMessage, readClicks, readDeadLetter } from '../rows/consumed-message.ts'
import { CopyBufferPool } from '../rows/copy-buffer-pool.ts'
import type { BatchWriter } from './batch-writer.ts'
import type { Delivery } from './unacked-deliveries.ts'

const readers = {
  [topology.queue]: readClicks,
  [topology.suspectQueue]: readClicks,
  [topology.deadQueue]: readDeadLetter,
} as const

export type ConsumedQueue = keyof typeof readers

/** Reading these takes about a millisecond. */
const clicksPerTurn = 200

export interface DeliveredBatch {
  readonly deliveries: readonly Delivery[]
  readonly content: ClickBatch
  /** The buffer with the rows of the clicks in `content`. */
  readonly rows: BinaryCopy
}

/** Parses the messages of a batch and prepares it for writing. */
export class BatchReader {
  readonly #read: (typeof readers)[ConsumedQueue]
  readonly #writer: Pick<BatchWriter, 'prepare'>
  readonly #rowBuffers = new CopyBufferPool()

  constructor(queue: ConsumedQueue, writer: Pick<BatchWriter, 'prepare'>) {
    this.#read = readers[queue]
    this.#writer = writer
  }

  /**
   * Reads a few messages per turn of the event loop, so that the socket can meanwhile send the pieces of the previous batch to
   * the database.
   */
  async prepare(deliveries: readonly Delivery[]): Promise<DeliveredBatch> {
    const rows = this.#rowBuffers.acquire()
    const messages: ConsumedMessage[] = []
    let clicks = 0
    for (const delivery of deliveries) {
      messages.push(this.#read(delivery.message, rows))
      clicks += delivery.clicks
      if (clicks < clicksPerTurn) continue
      clicks = 0
      await nextTurn()
    }
    return { deliveries, content: this.#writer.prepare(messages), rows }
  }

  /** To be called when the batch is written or dropped. */
  release({ rows }: DeliveredBatch): void {
    this.#rowBuffers.release(rows)
  }
}
