import type { ManagementMethod } from '@clicktally/broker/management.ts'
import type { LedgerReader } from '@clicktally/database/settling.ts'

/** What the suite needs of a system that it injects faults into, however that runs. The connections survive every fault. */
export interface SystemUnderTest extends LedgerReader {
  /** Base URLs that clicks are sent to: the ingests, without nginx. */
  readonly endpoints: readonly string[]
  /** Base URLs for reading. */
  readonly readEndpoints: readonly string[]
  /** The operator's key, which may send and read. */
  readonly ownerKey: string
  /** Calls RabbitMQ's management API below /api, as the operator. */
  manage(method: ManagementMethod, path: string, body?: object): Promise<unknown>
  /** Stops everything; may be called again. */
  stop(): Promise<void>
}

export interface StartOptions {
  /** The folder of the system, which the caller removes. */
  readonly dir: string
  onLine(line: string): void
  readonly signal?: AbortSignal
}
