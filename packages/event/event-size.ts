import type { Click } from './click.ts'
import { clickLimits } from './click-event.ts'
import { type EventField, eventFields, optionalTexts } from './event-fields.ts'

/** Characters of a field's value in JSON; of texts, without their content. */
const valueChars = { uuid: 38, text: 2, timestamptz: 42, boolean: 5, jsonb: 2 } as const
/** JSON takes at most this many bytes for a character: `\u0001`. */
const maxBytesPerChar = 6
/** No number is longer. */
const maxNumberChars = 24

/**
 * Makes a function that tells whether the event from which a click was made may be larger than an event may be. It is never
 * false of one that is, and cheaper than measuring the event.
 *
 * @param fields those of `eventFields`, or more
 */
export function createSizeBound(fields: readonly EventField[]): (click: Click) => boolean {
  const texts = optionalTexts(fields).map(({ name }) => name)
  // The braces; of each field its name, the quotes, the colon, the comma. The click does not have texts that are not stored.
  const fixedChars = fields.reduce((sum, { name, type, column, maxChars = 0 }) => {
    return sum + name.length + 4 + valueChars[type] + (column === undefined ? maxChars : 0)
  }, 2)
  return (click) => {
    let chars = fixedChars + click.target.length
    for (const name of texts) chars += click[name]?.length ?? 0
    for (const [name, value] of click.props === undefined ? [] : Object.entries(click.props)) {
      chars += name.length + (typeof value === 'string' ? value.length : maxNumberChars) + 6
    }
    return chars * maxBytesPerChar > clickLimits.eventBytes
  }
}

/** Whether an event may be larger than `clickLimits.eventBytes`, judged by its click. */
export const mayBeTooLarge = createSizeBound(eventFields)
