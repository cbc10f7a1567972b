import Type, { type Static, type TBoolean, type TObject, type TOptional, type TString } from 'typebox'
import { type EventField, eventFields, type SentField, sentFields } from './event-fields.ts'

/** Limits of one event. Those of its texts are in event-fields.ts. */
export const clickLimits = {
  /** Bytes of one event's JSON. */
  eventBytes: 32 * 1024,
  propKeys: 30,
  propKeyChars: 128,
  propValueChars: 1024,
  /** An `occurredAt` up to this far ahead is accepted, because clocks differ. Further ahead it is clamped to now. */
  aheadMs: 5 * 60_000,
  /** How far ahead the time in an id may be: some devices have wrong clocks, and partitions are created in advance. */
  idAheadMs: 24 * 3_600_000,
  /**
   * The oldest time of a click or an id in a backfill, milliseconds since 1970. Clicks are stored in partitions by time: a file with
   * wrong dates must not create hundreds of thousands of them.
   */
  oldestMs: Date.UTC(2000, 0, 1),
} as const

/** Limits of one request. */
export const batchLimits = {
  events: 500,
  /** Bytes of a batch's body, before and after inflating. */
  bodyBytes: 1024 * 1024,
} as const

/** The value of a prop. */
export const PropValue = Type.Union([
  Type.String({ maxLength: clickLimits.propValueChars }),
  Type.Number(),
  Type.Boolean(),
  Type.Null(),
])

/** The name of a prop. */
export const PropName = Type.String({ minLength: 1, maxLength: clickLimits.propKeyChars })

/** Rules for `props`, a flat object of a client's own data. */
const propsRules = {
  additionalProperties: PropValue,
  maxProperties: clickLimits.propKeys,
  propertyNames: { minLength: 1, maxLength: clickLimits.propKeyChars },
}

type FieldSchema<Field extends EventField> = Field['type'] extends 'boolean'
  ? TBoolean
  : Field['type'] extends 'jsonb'
    ? TObject
    : TString

type EventProperties = {
  [Field in SentField as Field['name']]: Field['optional'] extends true
    ? TOptional<FieldSchema<Field>>
    : FieldSchema<Field>
}

/** The schema of events. @param fields those of `eventFields`, or more */
export function clickEventSchema(fields: readonly EventField[]): TObject<EventProperties> {
  const properties = sentFields(fields).map((field) => {
    const schema = fieldSchema(field)
    return [field.name, field.optional ? Type.Optional(schema) : schema]
  })
  return Type.Object(Object.fromEntries(properties), {
    additionalProperties: false,
    title: 'ClickEvent',
    examples: [{ target: 'signup-button', visitorId: 'u-17' }],
  })
}

function fieldSchema({ type, minChars, maxChars, pattern, description, examples }: EventField) {
  const shown = { description, ...(examples && { examples: [...examples] }) }
  if (type === 'boolean') return Type.Boolean(shown)
  if (type === 'jsonb') return Type.Object({}, { ...propsRules, ...shown })
  return Type.String({
    ...shown,
    ...(minChars !== undefined && { minLength: minChars }),
    ...(maxChars !== undefined && { maxLength: maxChars }),
    ...(pattern !== undefined && { pattern }),
  })
}

/** A click as a client sends it. This schema validates events and is shown in the API reference. */
export const ClickEvent = clickEventSchema(eventFields)

export type ClickEvent = Static<typeof ClickEvent>
