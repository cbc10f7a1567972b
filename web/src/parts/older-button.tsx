import type { Pages } from '../http/pages.ts'

/** Shows a page more of a list, if there may be one. */
export function OlderButton({ pages, what }: { pages: Pages<unknown>; what: string }) {
  if (!pages.data?.hasOlder) return null
  return (
    <p>
      <button type="button" class="small" onClick={pages.showOlder}>
        Older {what}
      </button>
    </p>
  )
}
