import { clickLimits } from './click-event.ts'
import { derivedVisitorPrefix } from './event-fields.ts'

/** Why an event is rejected. The codes are stable, because clients depend on them. */
export const rejectionCodes = {
  not_an_object: 'An event is a JSON object.',
  not_json: 'The line is not JSON.',
  event_too_large: 'An event is at most 32 KiB.',
  event_too_complex: 'The event has far more fields or deeper nesting than any valid event.',
  missing_field: 'A required field is missing.',
  unknown_field: 'The event has a field that does not exist.',
  invalid_field: 'A field is of the wrong type, too short or too long.',
  nul_character: 'A text contains the character U+0000, which cannot be stored.',
  lone_surrogate: 'A text is not well-formed Unicode: it contains half of a surrogate pair.',
  visitor_id_reserved: `A visitorId must not begin with "${derivedVisitorPrefix}", which is reserved for visitors that the server derives.`,
  secret_key_required: 'Only senders with a secret key may set this field.',
  id_not_v7: 'The id is not a UUID of version 7.',
  id_too_old: 'The time in the id is older than the window. Send the click to /v1/backfill, which accepts old clicks.',
  id_in_future: 'The time in the id is more than 24 hours ahead.',
  occurred_at_invalid: 'occurredAt is not an RFC 3339 time.',
  too_old: 'The click is older than the window. Send it to /v1/backfill, which accepts old clicks.',
  too_old_for_backfill: `The click is from before ${new Date(clickLimits.oldestMs).toISOString()}, the oldest accepted time. Correct its time, or leave it out.`,
} as const

export type RejectionCode = keyof typeof rejectionCodes

export interface Rejection {
  readonly code: RejectionCode
  readonly detail: string
  /** The field at fault, as a path: `target`, `props.size`. */
  readonly field?: string
}

export function rejection(code: RejectionCode, field?: string, detail: string = rejectionCodes[code]): Rejection {
  return field === undefined ? { code, detail } : { code, detail, field }
}

/** A name chosen by a client, in the form in which it is sent back: short and well-formed Unicode. It may contain control characters. */
export function printableName(name: string): string {
  return name.slice(0, 64).toWellFormed()
}
