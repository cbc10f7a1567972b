import Type, { type Static } from 'typebox'
import { Problem } from './problem.ts'

/** Colours that have a name, as those of shields.io. */
export const badgeColors = {
  brightgreen: '#4c1',
  green: '#97ca00',
  yellow: '#dfb317',
  orange: '#fe7d37',
  red: '#e05d44',
  blue: '#007ec6',
  grey: '#555',
  lightgrey: '#9f9f9f',
  black: '#000',
} as const

const Color = (description: string, default_: keyof typeof badgeColors) =>
  Type.String({
    description: `${description}: three or six hexadecimal digits, or ${Object.keys(badgeColors).join(', ')}.`,
    pattern: `^([0-9a-fA-F]{3}|[0-9a-fA-F]{6}|${Object.keys(badgeColors).join('|')})$`,
    default: default_,
  })

export const PublicCount = Type.Object(
  {
    total: Type.Integer({ description: 'Clicks by humans.' }),
    label: Type.String(),
    days: Type.Union([Type.Integer(), Type.Null()], {
      description: 'The clicks of this many days (UTC) are counted, today included. Null: all clicks.',
    }),
  },
  {
    title: 'PublicCount',
    examples: [{ total: 1234, label: 'sign-ups', days: 30 }],
  },
)
export type PublicCount = Static<typeof PublicCount>

const params = Type.Object({
  slug: Type.String({ description: 'The name of the public counter.', maxLength: 63, examples: ['signups'] }),
})
const problem = (description: string) => ({ description, content: { 'application/problem+json': { schema: Problem } } })
const refusals = {
  404: problem('There is no such public counter.'),
  422: problem('A parameter is invalid. `field` names it.'),
  503: problem('The database is unavailable, or the query timed out. Retry later.'),
}
const tags = ['Public counters']
/** No credential is needed, and none is looked at. */
const security: never[] = []

const exampleBadge =
  '<svg xmlns="http://www.w3.org/2000/svg" width="88" height="20" role="img" aria-label="sign-ups: 1,234">…</svg>'

/** Operations of the api service that need no key. */
export const publicOperations = {
  getPublicCount: {
    method: 'GET',
    url: '/c/:slug.json',
    schema: {
      operationId: 'getPublicCount',
      summary: 'Read a public counter',
      tags,
      security,
      params,
      querystring: Type.Object({}, { additionalProperties: false }),
      response: { 200: PublicCount, ...refusals },
    },
  },
  getBadge: {
    method: 'GET',
    url: '/c/:slug.svg',
    schema: {
      operationId: 'getBadge',
      summary: 'Show a public counter as an image',
      tags,
      security,
      params,
      querystring: Type.Object(
        {
          label: Type.Optional(
            Type.String({
              description: 'The text on the left, instead of the label of the counter.',
              maxLength: 64,
              pattern: '^[^\\u0000-\\u001f]*$',
            }),
          ),
          color: Type.Optional(Color('Background of the number', 'blue')),
          labelColor: Type.Optional(Color('Background of the label', 'grey')),
        },
        { additionalProperties: false },
      ),
      response: {
        200: {
          description: 'An image.',
          content: { 'image/svg+xml': { schema: Type.String(), example: exampleBadge } },
        },
        ...refusals,
      },
    },
  },
} as const
