import type { Tracing } from '@clicktally/tracing/tracing.ts'
import type { ClickBatch } from '../rows/click-batch.ts'
import type { ConsumedMessage } from '../rows/consumed-message.ts'
import { ClickStore } from './click-store.ts'

/** A store that records a span for each transaction, within that of the batch. */
export class TracedStore extends ClickStore {
  readonly #tracing: Pick<Tracing, 'inCommit'>

  constructor(tracing: Pick<Tracing, 'inCommit'>, ...store: ConstructorParameters<typeof ClickStore>) {
    super(...store)
    this.#tracing = tracing
  }

  override async count(batch: ClickBatch): ReturnType<ClickStore['count']> {
    return await this.#tracing.inCommit(() => super.count(batch))
  }

  override async countDespiteRefusals(message: ConsumedMessage): ReturnType<ClickStore['countDespiteRefusals']> {
    return await this.#tracing.inCommit(() => super.countDespiteRefusals(message))
  }
}
