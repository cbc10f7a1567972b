import Type, { type Static } from 'typebox'
import { clickLimits, PropValue } from './click-event.ts'

/** Milliseconds since 1970, of the years 1 to 9999: beyond, times are written in ways that differ from place to place. */
const Time = Type.Number({ minimum: -62_135_596_800_000, maximum: 253_402_300_799_999 })

/** Characters of a request's id, at most: nginx makes 32, ingest 36. What is longer ingest does not take as an id. */
export const requestIdChars = 64

/**
 * A click that passed the check and was stamped: what travels through the broker and is stored. Version 1.
 *
 * The limits are those of the event. The processor checks them once more: whoever may publish at the broker could otherwise send
 * what a column or an index cannot hold.
 */
export const Click = Type.Object(
  {
    id: Type.String({ pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$' }),
    projectId: Type.Integer({ minimum: 1, maximum: 2_147_483_647 }),
    target: Type.String({ minLength: 1, maxLength: clickLimits.targetChars }),
    occurredAtMs: Time,
    receivedAtMs: Time,
    /** Of the HTTP request that brought the click: goes into every log line that speaks of it. */
    requestId: Type.String({ maxLength: requestIdChars }),
    bot: Type.Optional(Type.Literal(true)),
    visitorId: Type.Optional(Type.String({ maxLength: clickLimits.visitorIdChars })),
    url: Type.Optional(Type.String({ maxLength: clickLimits.urlChars })),
    referrer: Type.Optional(Type.String({ maxLength: clickLimits.urlChars })),
    props: Type.Optional(
      Type.Object(
        {},
        {
          additionalProperties: PropValue,
          maxProperties: clickLimits.propKeys,
          propertyNames: { maxLength: clickLimits.propKeyChars },
        },
      ),
    ),
  },
  // Fields that a later ingest adds must not turn clicks into dead letters at a processor that is not yet replaced.
  { additionalProperties: true },
)

export type Click = Static<typeof Click>

/** The project of every click until keys exist. */
export const defaultProjectId = 1
