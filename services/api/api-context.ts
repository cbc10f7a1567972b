import type { ReaderAccess } from './access/reader-access.ts'
import type { Cells } from './cells/cells.ts'
import type { ScanSlots } from './scan/scan-slots.ts'

/** What the routes need, besides the cell of the request (see cellOf()). */
export interface ApiContext {
  readonly cells: Cells
  readonly access: ReaderAccess
  readonly scans: ScanSlots
}
