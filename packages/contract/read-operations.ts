import Type, { type Static } from 'typebox'
import { Problem } from './problem.ts'

const Time = Type.String({ examples: ['2026-11-21T00:00:00Z'], maxLength: 40 })

const filters = {
  target: Type.Optional(
    Type.String({
      description:
        'Only these targets, separated by commas. A comma inside a target is written \\, and a backslash \\\\.',
      examples: ['signup-button'],
      maxLength: 8192,
    }),
  ),
  from: Type.Optional(Type.String({ ...Time, description: 'RFC 3339. From this minute on.' })),
  to: Type.Optional(
    Type.String({
      ...Time,
      description: 'RFC 3339. Up to this time, not included; part of a minute counts as the whole.',
    }),
  ),
}

const timeZone = Type.Optional(
  Type.String({ description: 'An IANA time zone. Default: UTC.', examples: ['Europe/Paris'], maxLength: 64 }),
)

export const Meta = Type.Object(
  {
    asOf: Type.Union([Type.String(), Type.Null()], {
      description: 'What was accepted before this time is in the answer. Null while no processor has ever run.',
    }),
    lagMs: Type.Union([Type.Integer(), Type.Null()], { description: 'Now less asOf, in milliseconds.' }),
    tz: Type.String(),
    source: Type.String({
      description: 'Where the figures come from: `counters`, `clicks` (raw) or `ledger`.',
    }),
    from: Type.Optional(Type.String({ description: 'The range as it was used, in whole minutes.' })),
    to: Type.Optional(Type.String()),
  },
  { title: 'Meta' },
)
export type Meta = Static<typeof Meta>

const count = {
  total: Type.Integer({ description: 'Clicks by people.' }),
  bots: Type.Integer({ description: 'Clicks by programs; not in the total.' }),
}

export const Counts = Type.Object({
  ...count,
  visitors: Type.Integer({ description: 'Different visitors. Exact up to 2,048, then within about 2 %.' }),
  meta: Meta,
})
export type Counts = Static<typeof Counts>

export const intervals = ['minute', 'hour', 'day'] as const
export type Interval = (typeof intervals)[number]

export const Series = Type.Object({
  points: Type.Array(Type.Object({ start: Type.String(), ...count })),
  meta: Meta,
})
export type Series = Static<typeof Series>

export const Top = Type.Object({
  targets: Type.Array(Type.Object({ target: Type.String(), ...count })),
  nextCursor: Type.Union([Type.String(), Type.Null()]),
  meta: Meta,
})
export type Top = Static<typeof Top>

export const ClickReceipt = Type.Object({
  id: Type.String(),
  status: Type.Union([Type.Literal('counted'), Type.Literal('dead'), Type.Literal('not_seen')]),
  target: Type.Optional(Type.String()),
  occurredAt: Type.Optional(Type.String()),
  receivedAt: Type.Optional(Type.String()),
  countedAt: Type.Optional(Type.String()),
  diedAt: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String()),
  meta: Meta,
})
export type ClickReceipt = Static<typeof ClickReceipt>

export const ClickBalance = Type.Object(
  {
    status: Type.Union([Type.Literal('current'), Type.Literal('stale'), Type.Literal('unknown')], {
      description:
        '`current`: known up to the last 10 seconds. `stale`: nothing is known of clicks accepted after `knownThrough`, and `inFlight: 0` does not mean that there are none. `unknown`: no processor has ever reported.',
    }),
    knownThrough: Type.Union([Type.String(), Type.Null()], {
      description: 'Every click accepted before this time is in these figures.',
    }),
    accepted: Type.Integer({
      description:
        'Clicks that the broker has taken: all that were answered 202 before `knownThrough`, and those whose answer was lost.',
    }),
    counted: Type.Integer(),
    duplicates: Type.Integer({ description: 'Sent again, with an id that was counted already.' }),
    dead: Type.Integer({ description: 'In the dead letters, waiting for a person.' }),
    discarded: Type.Integer({ description: 'Dead letters that a person gave up.' }),
    inFlight: Type.Integer({ description: 'Accepted, and on their way to one of these ends.' }),
    overdue: Type.Integer({
      description:
        'Those of them that later clicks have overtaken for over a minute: held up, or lost. 0 is what it should be.',
    }),
    meta: Meta,
  },
  { title: 'Balance', description: 'accepted = counted + duplicates + dead + discarded + inFlight' },
)
export type ClickBalance = Static<typeof ClickBalance>

const problem = (description: string) => ({ description, content: { 'application/problem+json': { schema: Problem } } })
const refusals = {
  422: problem('A parameter is wrong; `field` names it.'),
  503: problem('The database can not be reached. Ask again.'),
}
const tags = ['Read counts']

export const CountsQuery = Type.Object({ ...filters }, { additionalProperties: false })
export const SeriesQuery = Type.Object(
  {
    ...filters,
    interval: Type.Union(
      intervals.map((interval) => Type.Literal(interval)),
      { description: 'The width of a bucket.' },
    ),
    tz: timeZone,
  },
  { additionalProperties: false },
)
export const TopQuery = Type.Object(
  {
    ...filters,
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 10 })),
    cursor: Type.Optional(Type.String({ description: '`nextCursor` of the page before.', maxLength: 2048 })),
  },
  { additionalProperties: false },
)

/** What the api service answers, the schemas being those that validate. */
export const readOperations = {
  getCounts: {
    method: 'GET',
    url: '/v1/counts',
    schema: {
      operationId: 'getCounts',
      summary: 'How often, and by how many people',
      tags,
      querystring: CountsQuery,
      response: { 200: Counts, ...refusals },
    },
  },
  getSeries: {
    method: 'GET',
    url: '/v1/counts/series',
    schema: {
      operationId: 'getSeries',
      summary: 'Counts over time, empty buckets included',
      description: 'Without `from`: the last 60 minutes, 24 hours or 30 days. At most 10,000 points.',
      tags,
      querystring: SeriesQuery,
      response: { 200: Series, ...refusals },
    },
  },
  getTop: {
    method: 'GET',
    url: '/v1/counts/top',
    schema: {
      operationId: 'getTop',
      summary: 'The most clicked targets',
      description: 'Ordered by total, then by target.',
      tags,
      querystring: TopQuery,
      response: { 200: Top, ...refusals },
    },
  },
  getBalance: {
    method: 'GET',
    url: '/v1/balance',
    schema: {
      operationId: 'getBalance',
      summary: 'What became of every click, since the beginning',
      description:
        'From a ledger that is written in the same transactions as the counts, not from any process’s memory.',
      tags,
      querystring: Type.Object({}, { additionalProperties: false }),
      response: { 200: ClickBalance, ...refusals },
    },
  },
  getReceipt: {
    method: 'GET',
    url: '/v1/events/:id',
    schema: {
      operationId: 'getReceipt',
      summary: 'What became of one click',
      tags,
      params: Type.Object({ id: Type.String({ maxLength: 64 }) }),
      response: { 200: ClickReceipt, ...refusals },
    },
  },
} as const
