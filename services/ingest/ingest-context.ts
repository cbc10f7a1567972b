import type { ClickFigures } from './click-figures.ts'
import type { ClickPublisher } from './click-publisher.ts'

/** What the routes need. */
export interface IngestContext {
  readonly publisher: Pick<ClickPublisher, 'publish' | 'isReady' | 'refusal'>
  readonly figures: ClickFigures
  /** How old a click may be that is sent as it happens, in milliseconds. */
  readonly windowMs: number
}
