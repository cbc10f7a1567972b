import type { Measurement } from './measurement.ts'
import { accepting } from './measurements/accepting.ts'
import { acceptingBatches } from './measurements/accepting-batches.ts'
import { acceptingLatency } from './measurements/accepting-latency.ts'
import { bytesPerClick } from './measurements/bytes-per-click.ts'
import { costliestBody } from './measurements/costliest-body.ts'
import { endToEnd } from './measurements/end-to-end.ts'
import { loneClick } from './measurements/lone-click.ts'
import { memory } from './measurements/memory.ts'
import { microCache } from './measurements/micro-cache.ts'
import { processors } from './measurements/processors.ts'
import { storing } from './measurements/storing.ts'
import { yearCount } from './measurements/year-count.ts'

/** All there are, in the order in which they are made. */
export const measurements: readonly Measurement[] = [
  accepting,
  acceptingBatches,
  loneClick,
  acceptingLatency,
  storing,
  endToEnd,
  processors,
  memory,
  microCache,
  costliestBody,
  yearCount,
  bytesPerClick,
]
