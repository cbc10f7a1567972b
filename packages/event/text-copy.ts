import type { Click } from './click.ts'
import type { ClickEvent } from './click-event.ts'
import type { OptionalTextName } from './event-fields.ts'

/** Copies the optional texts of an event to its click. The last three are not read from the event: they may have been derived. */
export type TextCopy = (
  event: ClickEvent,
  click: Click,
  visitorId: string | undefined,
  country: string | undefined,
  agent: string | undefined,
) => void

/** The parameters of TextCopy that are optional texts. */
const derived = ['visitorId', 'country', 'agent'] as const
type DerivedText = (typeof derived)[number]

/**
 * Makes a function that copies texts in the order of `names`, which the scanner of messages relies on.
 *
 * It generates code, because a loop over names makes the whole check of an event 6 % slower. Where a page's content security policy
 * forbids generated code, it uses the loop.
 *
 * @param names of fields in the table, which are JavaScript identifiers
 */
export function createTextCopy(names: readonly OptionalTextName[]): TextCopy {
  const statements = names.map((name) => {
    const text = isDerived(name) ? name : `event.${name}`
    return `if (${text} !== undefined) click.${name} = ${text}`
  })
  try {
    return new Function('event', 'click', ...derived, statements.join('\n')) as TextCopy
  } catch {
    return (event, click, visitorId, country, agent) => {
      const texts = { visitorId, country, agent }
      for (const name of names) {
        const text = isDerived(name) ? texts[name] : event[name]
        if (text !== undefined) click[name] = text
      }
    }
  }
}

function isDerived(name: OptionalTextName): name is DerivedText {
  return (derived as readonly string[]).includes(name)
}
