import type { Tracing } from '@clicktally/tracing/tracing.ts'
import type { ClickBatch } from '../rows/click-batch.ts'
import type { ConsumedMessage } from '../rows/consumed-message.ts'
import type { BatchWriter } from './batch-writer.ts'

/** Records a span for each batch with a message that is traced, from the start of its writing until it is written. */
export class TracedWriter implements Pick<BatchWriter, 'prepare' | 'write'> {
  readonly #writer: Pick<BatchWriter, 'prepare' | 'write'>
  readonly #tracing: Pick<Tracing, 'inBatch'>

  constructor(writer: Pick<BatchWriter, 'prepare' | 'write'>, tracing: Pick<Tracing, 'inBatch'>) {
    this.#writer = writer
    this.#tracing = tracing
  }

  prepare(messages: readonly ConsumedMessage[]): ClickBatch {
    return this.#writer.prepare(messages)
  }

  async write(batch: ClickBatch, abandoned: AbortSignal): Promise<void> {
    const write = () => this.#writer.write(batch, abandoned)
    const { messages, clicks } = batch
    const traceparents = messages.flatMap(({ traceparent }) => traceparent ?? [])
    if (traceparents.length === 0) return await write()
    await this.#tracing.inBatch({ traceparents, messages: messages.length, clicks }, write)
  }
}
