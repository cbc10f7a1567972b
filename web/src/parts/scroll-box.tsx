import type { ComponentChildren } from 'preact'

interface ScrollBoxProps {
  /** What it contains, for screen readers. */
  readonly label: string
  /** `wide` scrolls sideways, `tall` downwards. */
  readonly scrolls: 'wide' | 'tall'
  readonly children: ComponentChildren
}

/** Scrolls what does not fit. It takes the focus, so that arrow keys scroll it. */
export function ScrollBox({ label, scrolls, children }: ScrollBoxProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: otherwise the keyboard could not scroll it
    <section class={scrolls} aria-label={label} tabIndex={0}>
      {children}
    </section>
  )
}
