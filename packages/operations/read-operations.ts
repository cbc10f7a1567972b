import Type, { type Static } from 'typebox'
import { clickOperations } from './read/click-operations.ts'
import { dimensionOperations } from './read/dimension-operations.ts'
import { exampleMeta, filters, Meta, project, refusals, valueFilters } from './read/read-schemas.ts'

/** The parameters with which counts are compared with another range. */
const comparison = {
  compare: Type.Optional(
    Type.Enum(['previous'], {
      description:
        'Adds the counts of the range before, of the same calendar length: as many months earlier if the range is whole months; else, if `from` is midnight in `tz`, as many days earlier as the range touches, up to the same local time (today until 10:00 is compared with yesterday until 10:00); else, if it begins with an hour, the same with hours; else the same time directly before. A series that ends within a bucket is compared with as many whole buckets. Needs `from`. Without `to` the range ends now.',
      examples: ['previous'],
    }),
  ),
  compareFrom: Type.Optional(
    Type.String({
      maxLength: 40,
      description: 'Adds the counts of another range: its start, in the same form as `from`. Needs `compareTo`.',
    }),
  ),
  compareTo: Type.Optional(
    Type.String({ maxLength: 40, description: 'The end of that range, in the same form as `to`.' }),
  ),
}

const comparedRange = {
  from: Type.String({ description: 'Start of the compared range, a whole minute.' }),
  to: Type.String({ description: 'End of the compared range, exclusive.' }),
}

const count = {
  total: Type.Integer({ description: 'Clicks by humans.' }),
  bots: Type.Integer({ description: 'Clicks marked as made by bots. Not included in `total`.' }),
}

const Visitors = Type.Integer({
  description:
    'Number of distinct visitors. Exact up to 2,048, an estimate with a standard error of about 2 % above that.',
})
/** The parameter with which series and top have visitors. */
const visitors = Type.Optional(
  Type.Boolean({
    description: 'Whether to count distinct visitors too, which takes longer. In a series, of at most 1,000 points.',
    default: false,
  }),
)

export const Counts = Type.Object(
  {
    ...{ ...count, visitors: Visitors },
    comparison: Type.Optional(Type.Object({ ...comparedRange, ...count, visitors: Visitors })),
    meta: Meta,
  },
  { title: 'Counts', examples: [{ total: 51, bots: 2, visitors: 17, meta: exampleMeta }] },
)
export type Counts = Static<typeof Counts>

export const intervals = ['minute', 'hour', 'day', 'week', 'month', 'quarter', 'year'] as const
export type Interval = (typeof intervals)[number]
export const weekStarts = ['monday', 'sunday'] as const
export type WeekStart = (typeof weekStarts)[number]

const points = Type.Array(
  Type.Object({
    start: Type.String({ description: 'Start of the bucket, which may be before `from`.' }),
    end: Type.String({ description: 'End of the bucket, exclusive. It may be after `to`.' }),
    ...count,
    visitors: Type.Optional(Visitors),
  }),
)

export const Series = Type.Object(
  {
    points,
    comparison: Type.Optional(Type.Object({ ...comparedRange, points })),
    meta: Meta,
  },
  {
    title: 'Series',
    examples: [
      {
        points: [{ start: '2026-11-21T00:00:00.000Z', end: '2026-11-22T00:00:00.000Z', total: 51, bots: 2 }],
        meta: { ...exampleMeta, from: '2026-11-21T00:00:00.000Z', to: '2026-11-22T00:00:00.000Z' },
      },
    ],
  },
)
export type Series = Static<typeof Series>

const other = Type.Object(
  { ...count },
  {
    description:
      'Clicks whose value has no count of its own: a dimension of a project counts its first 100,000 values separately.',
  },
)

export const Top = Type.Object(
  {
    targets: Type.Array(
      Type.Object({
        target: Type.String(),
        ...count,
        visitors: Type.Optional(Visitors),
        comparison: Type.Optional(Type.Object(count)),
      }),
    ),
    nextCursor: Type.Union([Type.String(), Type.Null()]),
    other: Type.Optional(other),
    comparison: Type.Optional(Type.Object(comparedRange)),
    meta: Meta,
  },
  {
    title: 'Top',
    examples: [{ targets: [{ target: 'signup-button', total: 51, bots: 2 }], nextCursor: null, meta: exampleMeta }],
  },
)
export type Top = Static<typeof Top>

export const Breakdown = Type.Object(
  {
    dimension: Type.String(),
    ...count,
    values: Type.Array(
      Type.Object({
        value: Type.String({ description: 'Empty for clicks without a value.' }),
        ...count,
        share: Type.Number({ description: '`total` of the value divided by `total` of all values, 0 to 1.' }),
        visitors: Type.Optional(Visitors),
      }),
    ),
    other,
    nextCursor: Type.Union([Type.String(), Type.Null()]),
    meta: Meta,
  },
  {
    title: 'Breakdown',
    examples: [
      {
        dimension: 'country',
        ...{ total: 50, bots: 2 },
        values: [
          { value: 'DE', total: 30, bots: 2, share: 0.6 },
          { value: '', total: 20, bots: 0, share: 0.4 },
        ],
        other: { total: 0, bots: 0 },
        nextCursor: null,
        meta: { ...exampleMeta, source: 'columns' },
      },
    ],
  },
)
export type Breakdown = Static<typeof Breakdown>

export const ClickReceipt = Type.Object(
  {
    id: Type.String(),
    status: Type.Enum(['counted', 'dead', 'not_seen', 'unknown'], {
      description:
        '`counted`: once. `dead`: it is in the dead letters or was discarded, `reason` says why. `not_seen`: there is no such click among those accepted before `asOf`. `unknown`: raw clicks of that time have been archived or removed; whether this id was counted can no longer be looked up.',
    }),
    target: Type.Optional(Type.String()),
    occurredAt: Type.Optional(Type.String()),
    receivedAt: Type.Optional(Type.String()),
    countedAt: Type.Optional(Type.String()),
    diedAt: Type.Optional(Type.String()),
    reason: Type.Optional(Type.String()),
    meta: Meta,
  },
  {
    title: 'Receipt',
    examples: [
      {
        id: '01a1fbf9-47c2-790c-9f4f-1b848ca0e748',
        status: 'counted',
        target: 'signup-button',
        occurredAt: '2026-11-21T09:59:59.500Z',
        receivedAt: '2026-11-21T09:59:59.600Z',
        countedAt: '2026-11-21T09:59:59.700Z',
        meta: { asOf: '2026-11-21T10:00:00.123Z', lagMs: 180, tz: 'UTC', source: 'clicks' },
      },
    ],
  },
)
export type ClickReceipt = Static<typeof ClickReceipt>

const balanceFigures = {
  status: Type.Enum(['current', 'stale', 'unknown'], {
    description:
      '`current`: the balance is at most 10 seconds old. `stale`: clicks accepted after `knownThrough` are missing, so `inFlight: 0` does not mean that none are in flight. `unknown`: no processor has ever reported.',
  }),
  knownThrough: Type.Union([Type.String(), Type.Null()], {
    description: 'Every click accepted before this time is included in the balance.',
  }),
  accepted: Type.Integer({
    description:
      'Clicks that the broker confirmed: all that received a 202 response before `knownThrough`, and those whose response was lost.',
  }),
  counted: Type.Integer(),
  duplicates: Type.Integer({ description: 'Clicks whose id had already been counted.' }),
  dead: Type.Integer({ description: 'Clicks in dead letters that an operator has not resolved yet.' }),
  discarded: Type.Integer({ description: 'Clicks in dead letters that an operator discarded.' }),
  inFlight: Type.Integer({ description: 'Accepted clicks that have not reached any of the states above yet.' }),
  overdue: Type.Integer({
    description:
      'In-flight clicks that later clicks overtook more than a minute ago: they are delayed or lost. Should be 0.',
  }),
}

export const CellBalance = Type.Object(
  { cell: Type.String({ description: 'The name of the cell.' }), ...balanceFigures },
  { title: 'CellBalance' },
)
export type CellBalance = Static<typeof CellBalance>

export const ClickBalance = Type.Object(
  {
    ...balanceFigures,
    cells: Type.Optional(
      Type.Array(CellBalance, {
        description:
          'In an installation with several cells: the balance of each, which the others are the sums of. A click that was copied to another cell with its project is in both.',
      }),
    ),
    meta: Meta,
  },
  {
    title: 'Balance',
    description: 'accepted = counted + duplicates + dead + discarded + inFlight',
    examples: [
      {
        status: 'current',
        knownThrough: '2026-11-21T10:00:00.123Z',
        ...{ accepted: 60, counted: 53, duplicates: 5, dead: 1, discarded: 0, inFlight: 1, overdue: 0 },
        meta: { asOf: '2026-11-21T10:00:00.123Z', lagMs: 180, tz: 'UTC', source: 'ledger' },
      },
    ],
  },
)
export type ClickBalance = Static<typeof ClickBalance>

/** Answers of counts, which clients can revalidate. */
const notModified = {
  304: Type.Null({
    description:
      'The counts are those of the answer whose `ETag` the request sent as `If-None-Match`. `Clicktally-As-Of` tells the current `asOf`.',
  }),
}
const scanRefusals = {
  ...refusals,
  503: {
    ...refusals[503],
    description:
      'The database is unavailable, or the query timed out; or the question is about dimensions, or has a `filter`, and too many such questions wait (`questions_busy`). Retry later.',
  },
}
const tags = ['Read counts']

export const CountsQuery = Type.Object({ ...filters, ...valueFilters, ...comparison }, { additionalProperties: false })
export const SeriesQuery = Type.Object(
  {
    ...filters,
    ...valueFilters,
    interval: Type.Enum([...intervals], { description: 'Width of each bucket.', examples: ['day'] }),
    weekStart: Type.Optional(Type.Enum([...weekStarts], { description: 'First day of a week.', default: 'monday' })),
    visitors,
    ...comparison,
  },
  { additionalProperties: false },
)
const topParameters = {
  ...filters,
  ...valueFilters,
  limit: Type.Optional(
    Type.Integer({ description: 'Maximum number of targets.', minimum: 1, maximum: 1000, default: 10 }),
  ),
  visitors,
  cursor: Type.Optional(Type.String({ description: '`nextCursor` of the previous page.', maxLength: 2048 })),
}
export const TopQuery = Type.Object(
  {
    ...topParameters,
    ...comparison,
  },
  { additionalProperties: false },
)
export const BreakdownQuery = Type.Object(topParameters, { additionalProperties: false })

/** Operations of the api service. Requests are validated against these query and path schemas. */
export const readOperations = {
  ...clickOperations,
  ...dimensionOperations,
  getCounts: {
    method: 'GET',
    url: '/v1/counts',
    schema: {
      operationId: 'getCounts',
      summary: 'Count clicks and distinct visitors',
      tags,
      querystring: CountsQuery,
      response: { 200: Counts, ...notModified, ...scanRefusals },
    },
  },
  getSeries: {
    method: 'GET',
    url: '/v1/counts/series',
    schema: {
      operationId: 'getSeries',
      summary: 'Count clicks over time',
      description:
        'Returns one point per bucket, including empty buckets; at most 10,000 points. Buckets begin when local clocks show a whole minute, a whole hour or midnight, so some days have 23 or 25 hours. Without `from`, the range has the last 60 minutes, 24 hours, 30 days, 12 weeks, 12 months, 8 quarters or 5 years, the current one included.',
      tags,
      querystring: SeriesQuery,
      response: { 200: Series, ...notModified, ...scanRefusals },
    },
  },
  getTop: {
    method: 'GET',
    url: '/v1/counts/top',
    schema: {
      operationId: 'getTop',
      summary: 'List the most clicked targets',
      description: 'Ordered by `total`, descending, then by `target`.',
      tags,
      querystring: TopQuery,
      response: { 200: Top, ...notModified, ...scanRefusals },
    },
  },
  getBreakdown: {
    method: 'GET',
    url: '/v1/counts/by/:dimension',
    schema: {
      operationId: 'getBreakdown',
      summary: 'Count clicks by where they came from',
      description:
        'Lists the values of a dimension, ordered by `total`, descending, then by value. Dimensions: `country`, `browser`, `os`, `device`, `referrer`, `channel`, `host`, `path`, `utm_source`, `utm_medium`, `utm_campaign`, `utm_term`, `utm_content`, `target`, and `props.<name>` for each prop that the project has declared. With `filter`, `target`, `targetPrefix` or `visitors` it reads each click of the range, at most 25 million: set `from` and `to`.',
      tags,
      params: Type.Object({
        dimension: Type.String({ maxLength: 300, examples: ['country'], description: 'The name of a dimension.' }),
      }),
      querystring: BreakdownQuery,
      response: { 200: Breakdown, ...notModified, ...scanRefusals },
    },
  },
  getBalance: {
    method: 'GET',
    url: '/v1/balance',
    schema: {
      operationId: 'getBalance',
      summary: 'Show how many clicks were accepted, counted, duplicate, dead or in flight',
      description:
        'Covers all clicks ever accepted. The numbers come from a ledger that is written in the same transactions as the counts.',
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
      summary: 'Look up the status of one click',
      tags,
      params: Type.Object({
        id: Type.String({
          description: 'The id of the click.',
          maxLength: 64,
          examples: ['01a1fbf9-47c2-790c-9f4f-1b848ca0e748'],
        }),
      }),
      querystring: Type.Object(project, { additionalProperties: false }),
      response: { 200: ClickReceipt, ...refusals },
    },
  },
} as const
