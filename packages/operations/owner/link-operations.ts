import { maxCharsOf } from '@clicktally/event/event-fields.ts'
import Type, { type Static } from 'typebox'
import { conflict, noContent, problem, refusals } from './responses.ts'
import { closed, ProjectName, params, Time } from './values.ts'

const slugRules = {
  pattern: '^[a-z0-9][a-z0-9-]{2,62}$',
  examples: ['spring'],
}
const slugForm = 'The name in the URL: 3 to 63 lower-case letters, digits and hyphens.'
const Slug = Type.String({ description: slugForm, ...slugRules })
const Target = Type.String({
  description: 'What a visit is counted as.',
  minLength: 1,
  maxLength: maxCharsOf('target'),
  pattern: '^[^\\u0000]*$',
})
const Url = Type.String({
  description: 'Where the link leads to: an http or https URL.',
  minLength: 1,
  maxLength: 2_048,
})

const example = {
  ...{ slug: 'spring', project: 'default', target: 'link: spring', url: 'https://shop.example/spring' },
  createdAt: '2026-11-28T10:00:00.000Z',
}

export const Link = Type.Object(
  { slug: Slug, project: ProjectName, target: Target, url: Url, createdAt: Time },
  { title: 'Link', examples: [example] },
)
export type Link = Static<typeof Link>

const LinkList = Type.Object({ links: Type.Array(Link) }, { title: 'LinkList', examples: [{ links: [example] }] })
const tags = ['Links']
const missing = { 404: problem('There is no such project or link.') }

/** Operations on links that count and redirect. */
export const linkOperations = {
  listLinks: {
    method: 'GET',
    url: '/v1/links',
    schema: {
      operationId: 'listLinks',
      summary: 'List links',
      tags,
      querystring: Type.Object({ project: Type.Optional(ProjectName) }, closed),
      response: { 200: LinkList, ...refusals },
    },
  },
  createLink: {
    method: 'POST',
    url: '/v1/links',
    schema: {
      operationId: 'createLink',
      summary: 'Create a link /l/{slug}, which counts and redirects to a URL',
      tags,
      body: Type.Object(
        {
          slug: Type.Optional(Type.String({ description: `${slugForm} Random if absent.`, ...slugRules })),
          url: Url,
          target: Type.Optional(
            Type.String({ ...Target, description: 'What a visit is counted as. Default: `link: ` and the name.' }),
          ),
          project: Type.Optional(ProjectName),
        },
        { ...closed, examples: [{ slug: 'spring', url: 'https://shop.example/spring' }] },
      ),
      response: { 201: Link, ...refusals, ...missing, ...conflict },
    },
  },
  deleteLink: {
    method: 'DELETE',
    url: '/v1/links/:slug',
    schema: {
      operationId: 'deleteLink',
      summary: 'Delete a link; its clicks stay counted',
      tags,
      params: params({ slug: Slug }),
      response: { ...noContent, ...refusals, ...missing },
    },
  },
} as const
