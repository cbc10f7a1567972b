import Type, { type Static } from 'typebox'
import { Problem } from '../problem.ts'

export const exampleMeta = {
  asOf: '2026-11-21T10:00:00.123Z',
  lagMs: 180,
  tz: 'UTC',
  source: 'counters',
  from: '2026-11-01T00:00:00.000Z',
  to: '2026-12-01T00:00:00.000Z',
}

/** The parameter `project`. */
export const project = {
  project: Type.Optional(
    Type.String({
      description:
        'Another project than the one of the key. Only for keys of the roles `auditor` and `owner`, and for users.',
      maxLength: 64,
    }),
  ),
}

/** The parameters that select targets. */
export const targetFilters = {
  target: Type.Optional(
    Type.String({
      description:
        'Count only these targets, separated by commas. Escape a comma in a target as `\\,` and a backslash as `\\\\`.',
      examples: ['signup-button'],
      maxLength: 8192,
    }),
  ),
  targetPrefix: Type.Optional(
    Type.String({
      description: 'Count only targets that begin with this text, such as `blog/`. Not together with `target`.',
      maxLength: 256,
    }),
  ),
}

/** The parameters that select clicks. */
export const filters = {
  ...project,
  ...targetFilters,
  from: Type.Optional(
    Type.String({
      examples: ['2026-11-01'],
      maxLength: 40,
      description:
        'Start of the range, inclusive: an RFC 3339 time, rounded down to the minute, or a date, which begins at midnight in `tz`.',
    }),
  ),
  to: Type.Optional(
    Type.String({
      examples: ['2026-12-01'],
      maxLength: 40,
      description:
        'End of the range, exclusive: an RFC 3339 time, rounded up to the minute, or a date, which is then not included itself.',
    }),
  ),
  tz: Type.Optional(
    Type.String({
      description: 'IANA time zone of the buckets, and of dates without a time.',
      default: 'UTC',
      examples: ['Europe/Paris'],
      maxLength: 64,
    }),
  ),
}

/** The parameter with conditions on dimensions. */
export const valueFilters = {
  filter: Type.Optional(
    Type.Array(
      Type.String({
        maxLength: 2048,
        description: 'A dimension, `is` or `not`, and values: `country:is:DE,AT`.',
      }),
      {
        description:
          'Only clicks with one of these values in a dimension (`country:is:DE,AT`), or with none of them (`browser:not:Chrome`). No text after the colon is the value of clicks without one: `referrer:is:`. Repeat the parameter to combine conditions: a click has to meet all of them. Escape a comma in a value as `\\,` and a backslash as `\\\\`. Dimensions: `target` and those of `/v1/counts/by/{dimension}`.',
        maxItems: 10,
        examples: [['country:is:DE,AT']],
      },
    ),
  ),
}

export const Meta = Type.Object(
  {
    asOf: Type.Union([Type.String(), Type.Null()], {
      description: 'Every click accepted before this time is included. Null if no processor has ever run.',
    }),
    lagMs: Type.Union([Type.Integer(), Type.Null()], { description: 'Current time minus `asOf`, in milliseconds.' }),
    tz: Type.String(),
    source: Type.String({
      description:
        'The data source: `counters`, `sums` (days and months by dimension), `columns` (clicks by dimension), `clicks` (raw clicks), `mixed` (several of these three) or `ledger`.',
    }),
    missing: Type.Optional(
      Type.Integer({
        description:
          'Clicks of the range that were counted, but can no longer be read by dimension. The figures may lack any of them.',
      }),
    ),
    from: Type.Optional(
      Type.Union([Type.String(), Type.Null()], {
        description: 'Start of the range that was counted, a whole minute. Null: since the first click.',
      }),
    ),
    to: Type.Optional(
      Type.Union([Type.String(), Type.Null()], {
        description: 'End of the range that was counted, exclusive. Null: up to the last click.',
      }),
    ),
  },
  { title: 'Meta' },
)
export type Meta = Static<typeof Meta>

/** The answer with a problem. */
export const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: Problem } },
})
/** Why a request to read is refused. */
export const refusals = {
  401: problem('There is no key, or it is not valid.'),
  403: problem('The key lacks the right, or belongs to another project.'),
  404: problem('There is no such project.'),
  422: problem('A parameter is invalid. `field` names it.'),
  503: problem('The database is unavailable, or the query timed out. Retry later.'),
}
