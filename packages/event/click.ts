import Type, { type Static, type TOptional, type TString } from 'typebox'
import { clickLimits, PropValue } from './click-event.ts'
import { type EventField, eventFields, maxCharsOf, type OptionalTextName, optionalTexts } from './event-fields.ts'

/** Milliseconds since 1970, in the years 1 to 9999: formats of other years differ between systems. */
const Time = Type.Number({ minimum: -62_135_596_800_000, maximum: 253_402_300_799_999 })

/** Most characters of a request id: nginx makes 32, ingest 36. Ingest ignores longer ones. */
export const requestIdChars = 64

/** What every click has, in the order in which messages carry it. */
const stamped = {
  id: Type.String({ pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$' }),
  projectId: Type.Integer({ minimum: 1, maximum: 2_147_483_647 }),
  target: Type.String({ minLength: 1, maxLength: maxCharsOf('target') }),
  occurredAtMs: Time,
  receivedAtMs: Time,
  /** Id of the HTTP request of the click, for log lines about it. */
  requestId: Type.String({ maxLength: requestIdChars }),
  bot: Type.Optional(Type.Literal(true)),
}

const props = Type.Optional(
  Type.Object(
    {},
    {
      additionalProperties: PropValue,
      maxProperties: clickLimits.propKeys,
      propertyNames: { maxLength: clickLimits.propKeyChars },
    },
  ),
)

/**
 * The schema of clicks that passed the check and were stamped: what travels through the broker and is stored. Version 1.
 *
 * The limits are those of the event. The processor checks them again, because other clients of the broker could publish what a
 * column or an index cannot hold.
 *
 * @param fields those of `eventFields`, or more
 */
export function clickSchema(fields: readonly EventField[]) {
  const texts = optionalTexts(fields).map(({ name, maxChars }) => [
    name,
    Type.Optional(Type.String({ maxLength: maxChars })),
  ])
  // Fields that a later version of ingest adds must not turn clicks into dead letters at an older processor.
  return Type.Object(
    { ...stamped, ...(Object.fromEntries(texts) as Record<OptionalTextName, TOptional<TString>>), props },
    { additionalProperties: true },
  )
}

export const Click = clickSchema(eventFields)

export type Click = Static<typeof Click>

/** The project of every click until keys exist. */
export const defaultProjectId = 1
