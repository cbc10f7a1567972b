export type { Click, ClickFields } from './click.ts'
export { ClickSender, type Drop, type SenderOptions } from './click-sender.ts'
export { ClicktallyError } from './clicktally-error.ts'
export {
  CountReader,
  type CountsQuery,
  type ReaderOptions,
  type SeriesQuery,
  type TopQuery,
} from './count-reader.ts'
export type { Counts, Interval, Meta, Receipt, Series, Top } from './counts.ts'
