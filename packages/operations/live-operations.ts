import Type, { type Static } from 'typebox'
import { project, refusals, targetFilters } from './read/read-schemas.ts'

/** The data of an event `click`. */
const SeenClick = Type.Object(
  {
    id: Type.String({ description: 'The id of the click.' }),
    target: Type.String(),
    occurredAt: Type.String({ description: 'RFC 3339' }),
    bot: Type.Boolean(),
  },
  {
    title: 'LiveClick',
    description: 'A click was counted. Each click is sent at most once.',
    examples: [
      {
        id: '01a1fbf9-47c2-790c-9f4f-1b848ca0e748',
        target: 'signup-button',
        occurredAt: '2026-11-21T09:59:59.500Z',
        bot: false,
      },
    ],
  },
)
export type SeenClick = Static<typeof SeenClick>

/** The data of an event `gap`. */
const LiveGap = Type.Object(
  {
    reason: Type.Enum(['missed', 'expired', 'rate'], {
      description:
        '`missed`: a server was restarted, or too slow. `expired`: the stream cannot be resumed at `Last-Event-ID`. `rate`: there were too many clicks to send; `total` and `bots` say how many.',
    }),
    total: Type.Optional(Type.Integer({ description: 'Clicks by humans that were counted and not sent.' })),
    bots: Type.Optional(Type.Integer({ description: 'Clicks by bots that were counted and not sent.' })),
  },
  {
    title: 'LiveGap',
    description: 'Clicks that were counted may be missing here. Read the counts again, unless the reason is `rate`.',
    examples: [{ reason: 'missed' }],
  },
)
export type LiveGap = Static<typeof LiveGap>

/** The data of an event `heartbeat`. */
const LiveHeartbeat = Type.Object(
  {
    at: Type.String({ description: "The server's time, RFC 3339." }),
    connected: Type.Boolean({ description: 'Whether clicks arrive now. If not, they are counted, and shown later.' }),
  },
  {
    title: 'LiveHeartbeat',
    description: 'Sent first, and then every 10 seconds.',
    examples: [{ at: '2026-11-21T10:00:00.123Z', connected: true }],
  },
)
export type LiveHeartbeat = Static<typeof LiveHeartbeat>

/** The schemas of the data, by the names of the events. */
export const liveEvents = { click: SeenClick, gap: LiveGap, heartbeat: LiveHeartbeat } as const

const example = [
  'retry: 2000\n',
  'event: heartbeat\nid: 2s.mi9x3k5r.1\ndata: {"at":"2026-11-21T10:00:00.123Z","connected":true}\n',
  'event: click\nid: 2t.mi9x3l0a.1\ndata: {"id":"01a1fbf9-47c2-790c-9f4f-1b848ca0e748","target":"signup-button","occurredAt":"2026-11-21T10:00:00.500Z","bot":false}\n',
].join('\n')

/** The operation of the api service that does not end. */
export const liveOperations = {
  getLive: {
    method: 'GET',
    url: '/v1/live',
    schema: {
      operationId: 'getLive',
      summary: 'Watch clicks as they are counted',
      description:
        'Server-sent events: `click`, `gap` and `heartbeat`, each with JSON as data. A client that reconnects with the header `Last-Event-ID` is sent what it has missed, for at least a minute (or 100,000 clicks), from any instance. Where clicks may be missing there is a `gap`. At most 1,000 clicks are sent in a second. /asyncapi.json describes the events.',
      tags: ['Read counts'],
      querystring: Type.Object({ ...project, ...targetFilters }, { additionalProperties: false }),
      response: {
        200: {
          description: 'Events, until the client or the server closes the connection.',
          content: { 'text/event-stream': { schema: Type.String(), example } },
        },
        ...refusals,
        503: {
          ...refusals[503],
          description: 'Clicks cannot be shown now, or there are too many viewers. Retry later.',
        },
      },
    },
  },
} as const
