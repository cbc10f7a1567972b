import type { DerivedVisitors } from './access/derived-visitors.ts'
import type { SenderAccess } from './access/sender-access.ts'
import type { RequestAttributes } from './attributes/request-attributes.ts'
import type { ClickMetrics } from './click-metrics.ts'
import type { CellPublishers } from './publishing/cell-publishers.ts'

/** What the routes need. */
export interface IngestContext {
  readonly publisher: Pick<CellPublishers, 'publish' | 'isReady' | 'refusal'>
  readonly metrics: ClickMetrics
  readonly access: SenderAccess
  readonly visitors: DerivedVisitors
  readonly attributes: RequestAttributes
  /** How old a click may be that is sent as it happens, in milliseconds. */
  readonly windowMs: number
}
