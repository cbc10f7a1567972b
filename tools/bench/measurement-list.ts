import type { Measurement } from './measurement.ts'
import { accepting, acceptingBatches } from './measurements/accepting.ts'
import { acceptingLatency, loneClick } from './measurements/accepting-latency.ts'
import { archiving } from './measurements/archiving.ts'
import { breakdowns } from './measurements/breakdowns.ts'
import { bytesPerClick, costliestBody } from './measurements/click-size.ts'
import { endToEnd } from './measurements/end-to-end.ts'
import { exports } from './measurements/exports.ts'
import { ingests } from './measurements/ingests.ts'
import { memory } from './measurements/memory.ts'
import { page } from './measurements/page.ts'
import { processors } from './measurements/processors.ts'
import { microCache, yearCount } from './measurements/reading.ts'
import { storing } from './measurements/storing.ts'

/** All measurements, in the order in which they run. */
export const measurements: readonly Measurement[] = [
  ...[accepting, acceptingBatches, loneClick, acceptingLatency, storing, endToEnd, processors, ingests, memory],
  ...[microCache, costliestBody, yearCount, breakdowns, exports, archiving, bytesPerClick, page],
]
