import type { ComponentChildren } from 'preact'
import { go } from '../state/place.ts'

interface ChipProps {
  /** What its button does. */
  readonly clear: string
  /** The address without it. */
  readonly href: string
  readonly children: ComponentChildren
}

/** Something that restricts the view, and can be removed. */
export function Chip({ clear, href, children }: ChipProps) {
  return (
    <span class="chip">
      {children}
      <button type="button" class="clear" title={clear} onClick={() => go(href)}>
        <span aria-hidden="true">×</span>
        <span class="hidden">{clear}</span>
      </button>
    </span>
  )
}
