// The ES module: import { start } from 'https://counts.example/tally.mjs'
export type { Tally } from './clicked-target.ts'
export { start, type TallyOptions } from './tally.ts'
