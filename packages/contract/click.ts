import Type, { type Static } from 'typebox'

/** Milliseconds since 1970, of the years 1 to 9999: beyond, times are written in ways that differ from place to place. */
const Time = Type.Number({ minimum: -62_135_596_800_000, maximum: 253_402_300_799_999 })

/** A click that passed the check and was stamped: what travels through the broker and is stored. Version 1. */
export const Click = Type.Object(
  {
    id: Type.String({ pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$' }),
    projectId: Type.Integer({ minimum: 1, maximum: 2_147_483_647 }),
    target: Type.String({ minLength: 1 }),
    occurredAtMs: Time,
    receivedAtMs: Time,
    /** Of the HTTP request that brought the click: goes into every log line that speaks of it. */
    requestId: Type.String(),
    bot: Type.Optional(Type.Literal(true)),
    visitorId: Type.Optional(Type.String()),
    url: Type.Optional(Type.String()),
    referrer: Type.Optional(Type.String()),
    props: Type.Optional(
      Type.Object(
        {},
        { additionalProperties: Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]) },
      ),
    ),
  },
  // Fields that a later ingest adds must not turn clicks into dead letters at a processor that is not yet replaced.
  { additionalProperties: true },
)

export type Click = Static<typeof Click>

/** The project of every click until keys exist. */
export const defaultProjectId = 1
