import type { ComponentChildren } from 'preact'
import type { Polled } from '../http/polling.ts'

interface CardProps {
  readonly title: string
  readonly class?: string
  /** The query that fills the card. Its problem is shown in place of old data, and beside it. */
  readonly polled: Polled<unknown>
  readonly actions?: ComponentChildren
  readonly children: ComponentChildren
}

export function Card({ title, class: name = '', polled: { problem, isOutdated }, actions, children }: CardProps) {
  return (
    <section class={`card ${name}`} aria-label={title} data-outdated={isOutdated || undefined}>
      <header>
        <h2>{title}</h2>
        {actions}
      </header>
      {problem !== undefined && (
        <p class="problem" role="status">
          {problem.message}
        </p>
      )}
      {children}
    </section>
  )
}
