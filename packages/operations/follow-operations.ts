import Type from 'typebox'
import { Problem } from './problem.ts'

const problem = (description: string) => ({ description, content: { 'application/problem+json': { schema: Problem } } })
/** No credential is needed, and none is looked at. */
const security: never[] = []

/** Operations of the ingest service for visitors. */
export const followOperations = {
  followLink: {
    method: 'GET',
    url: '/l/:slug',
    schema: {
      operationId: 'followLink',
      summary: 'Count a click and redirect to the URL of a link',
      description:
        'The visitor is redirected even if the click cannot be counted; the header `Clicktally-Outcome` tells what became of it. A HEAD request redirects and does not count.',
      tags: ['Links'],
      security,
      params: Type.Object({
        slug: Type.String({ description: 'The name of the link.', maxLength: 63, examples: ['spring'] }),
      }),
      response: {
        302: Type.Null({
          description: 'The URL of the link. It is never cached.',
          headers: {
            location: Type.String({ description: 'The URL of the link.' }),
            'clicktally-outcome': Type.String({
              description:
                '`accepted`: the click is counted exactly once. `not_confirmed`: the broker has not confirmed it within half a second; it may be counted. Otherwise the code of the error: it is not counted.',
            }),
          },
        }),
        403: problem('A browser wants to fetch the page ahead of a click. The click itself is answered with 302.'),
        404: problem('There is no such link.'),
        429: problem('The client address exceeds its rate limit.'),
        503: problem('The links are not known yet. Retry later.'),
      },
    },
  },
} as const
