import Type, { type Static } from 'typebox'

/** What one click may be at the most. */
export const clickLimits = {
  /** Bytes of one event's JSON. */
  eventBytes: 32 * 1024,
  targetChars: 256,
  visitorIdChars: 128,
  urlChars: 2048,
  propKeys: 30,
  propKeyChars: 128,
  propValueChars: 1024,
  /** An `occurredAt` up to this far ahead is taken as it is: clocks differ. Further ahead it is clamped to now. */
  aheadMs: 5 * 60_000,
  /** How far ahead an id's own time may be: devices with wrong clocks exist, and partitions are made ahead. */
  idAheadMs: 24 * 3_600_000,
  /**
   * The oldest time that a click or an id may have in a backfill, milliseconds since 1970. Clicks are kept in partitions,
   * each of a stretch of time: one file of wrong dates must not be able to ask for hundreds of thousands of them.
   */
  oldestMs: Date.UTC(2000, 0, 1),
} as const

/** What one request may carry at the most. */
export const batchLimits = {
  events: 500,
  /** Bytes of a request's body, before and after inflating. */
  bodyBytes: 1024 * 1024,
} as const

/** The value of one of an event's props. */
export const PropValue = Type.Union([
  Type.String({ maxLength: clickLimits.propValueChars }),
  Type.Number(),
  Type.Boolean(),
  Type.Null(),
])

/** The name of one of an event's props. */
export const PropName = Type.String({ minLength: 1, maxLength: clickLimits.propKeyChars })

/** A click as a client sends it. The one schema that validates, and that the OpenAPI document shows. */
export const ClickEvent = Type.Object(
  {
    id: Type.Optional(
      Type.String({
        description:
          'A UUID of version 7. The same id is counted once: make it yourself where you may send again. Made and returned when absent.',
        examples: ['019aa3f0-5c00-7abc-8def-0123456789ab'],
      }),
    ),
    target: Type.String({
      description: 'What was clicked.',
      examples: ['signup-button'],
      minLength: 1,
      maxLength: clickLimits.targetChars,
    }),
    occurredAt: Type.Optional(
      Type.String({
        description:
          'RFC 3339. Default: the time inside the id, if you sent one, else when the request began to arrive. More than 5 minutes ahead it is clamped to now.',
        examples: ['2026-11-21T10:15:30.250Z'],
        maxLength: 40,
      }),
    ),
    visitorId: Type.Optional(
      Type.String({
        description: 'Who clicked, for counting unique visitors.',
        minLength: 1,
        maxLength: clickLimits.visitorIdChars,
      }),
    ),
    url: Type.Optional(Type.String({ maxLength: clickLimits.urlChars })),
    referrer: Type.Optional(Type.String({ maxLength: clickLimits.urlChars })),
    props: Type.Optional(
      Type.Object(
        {},
        {
          description: 'A flat object of your own: strings, finite numbers, booleans, nulls.',
          additionalProperties: PropValue,
          maxProperties: clickLimits.propKeys,
          propertyNames: { minLength: 1, maxLength: clickLimits.propKeyChars },
        },
      ),
    ),
    bot: Type.Optional(
      Type.Boolean({ description: 'Made by a program, not a person: counted apart. Default: false.' }),
    ),
  },
  { additionalProperties: false, title: 'ClickEvent' },
)

export type ClickEvent = Static<typeof ClickEvent>
