import { maxCharsOf } from '@clicktally/event/event-fields.ts'
import Type, { type Static } from 'typebox'
import { conflict, noContent, problem, refusals } from './responses.ts'
import { closed, ProjectName, params, Time } from './values.ts'

const slugRules = {
  pattern: '^[a-z0-9][a-z0-9-]{2,62}$',
  examples: ['signups'],
}
const slugForm = 'The name in the URL: 3 to 63 lower-case letters, digits and hyphens.'
const Slug = Type.String({ description: slugForm, ...slugRules })
const Target = Type.String({ minLength: 1, maxLength: maxCharsOf('target'), pattern: '^[^\\u0000]*$' })
const Days = Type.Integer({ minimum: 1, maximum: 3_660 })
const Label = Type.String({
  description: 'The text on the left of the badge.',
  minLength: 1,
  maxLength: 64,
  pattern: '^[^\\u0000-\\u001f]*$',
})

const example = {
  ...{ slug: 'signups', project: 'default', target: 'signup-button', days: 30, label: 'sign-ups' },
  createdAt: '2026-11-28T10:00:00.000Z',
}

export const PublicCounter = Type.Object(
  {
    slug: Slug,
    project: ProjectName,
    target: Type.Union([Target, Type.Null()], { description: 'Null: all targets together.' }),
    days: Type.Union([Days, Type.Null()], {
      description: 'Clicks of this many days (UTC) are counted, today included. Null: all clicks.',
    }),
    label: Label,
    createdAt: Time,
  },
  { title: 'PublicCounter', examples: [example] },
)
export type PublicCounter = Static<typeof PublicCounter>

const PublicCounterList = Type.Object(
  { publicCounters: Type.Array(PublicCounter) },
  { title: 'PublicCounterList', examples: [{ publicCounters: [example] }] },
)
const missing = { 404: problem('There is no such project or public counter.') }

/** Operations on counters that anyone may read. */
export const publicCounterOperations = {
  listPublicCounters: {
    method: 'GET',
    url: '/v1/public-counters',
    schema: {
      operationId: 'listPublicCounters',
      summary: 'List public counters',
      tags: ['Public counters'],
      querystring: Type.Object({ project: Type.Optional(ProjectName) }, closed),
      response: { 200: PublicCounterList, ...refusals },
    },
  },
  createPublicCounter: {
    method: 'POST',
    url: '/v1/public-counters',
    schema: {
      operationId: 'createPublicCounter',
      summary: 'Let anyone read the count of a target, or of all targets, at /c/{slug}.json and /c/{slug}.svg',
      tags: ['Public counters'],
      body: Type.Object(
        {
          slug: Type.Optional(Type.String({ description: `${slugForm} Random if absent.`, ...slugRules })),
          project: Type.Optional(ProjectName),
          target: Type.Optional(Target),
          days: Type.Optional(Days),
          label: Type.Optional(Label),
        },
        { ...closed, examples: [{ slug: 'signups', target: 'signup-button', days: 30, label: 'sign-ups' }] },
      ),
      response: { 201: PublicCounter, ...refusals, ...missing, ...conflict },
    },
  },
  deletePublicCounter: {
    method: 'DELETE',
    url: '/v1/public-counters/:slug',
    schema: {
      operationId: 'deletePublicCounter',
      summary: 'Make a counter private again',
      tags: ['Public counters'],
      params: params({ slug: Slug }),
      response: { ...noContent, ...refusals, ...missing },
    },
  },
} as const
