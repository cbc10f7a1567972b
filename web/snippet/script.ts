import type { Tally } from './clicked-target.ts'
import { start, type TallyOptions } from './tally.ts'

declare global {
  interface Window {
    clicktally?: Tally
  }
}

// The plain script: <script defer src="https://counts.example/tally.js" data-key="ct_w_…"></script>
const { src, dataset } = document.currentScript as HTMLScriptElement
// Not again if a page has the tag twice: each click would count twice.
self.clicktally ??= start({ to: new URL(src).origin, ...(dataset as unknown as Omit<TallyOptions, 'to'>) })
