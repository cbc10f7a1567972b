/** A consumer's view of its queue after a round trip on its channel, so that all earlier deliveries have arrived. */
export interface View {
  /** False if the round trip failed. A consumer that is not connected needs none. */
  readonly isFenced: boolean
  /** Every fresh message received before this time is counted, or was lost with a connection. Milliseconds since 1970. */
  readonly countedThroughMs: number | undefined
  /** Deliveries so far of messages that no process has held before. */
  readonly freshDeliveries: number
  /** Deliveries so far of messages that some process may have held before. */
  readonly returnedDeliveries: number
  /** Whether it holds such a returned message now. */
  readonly holdsReturned: boolean
  /** Whether the broker has proven that the queue was empty after the call began. */
  readonly isEmpty: boolean
}

export interface WatchedConsumer {
  /** @param proveEmpty whether to ask for the proof that the queue is empty, which costs an entry in the queue's log */
  look(proveEmpty: boolean): Promise<View>
  /** Returns what it holds to the broker, and consumes nothing until untilReady() resolves. */
  release(reason: Error): void
  /** Whether the broker has dropped the connection with this marker; undefined if the broker cannot be asked. */
  isConnectionDropped(marker: string): Promise<boolean | undefined>
}

export interface WatchedConsumers {
  readonly clicks: WatchedConsumer
  readonly suspect: WatchedConsumer
  readonly dead: WatchedConsumer
}
