import Type from 'typebox'
import { noContent, problem, refusals } from './responses.ts'
import { passwordLimits, User } from './user-operations.ts'
import { closed } from './values.ts'

/** A key does not sign anyone in. */
const bySession = [{ session: [] }]

/** Signing in and out. */
export const sessionOperations = {
  signIn: {
    method: 'POST',
    url: '/v1/session',
    schema: {
      operationId: 'signIn',
      summary: 'Sign in; sets the session cookie',
      tags: ['Sign in'],
      security: [],
      body: Type.Object(
        { email: Type.String({ maxLength: 254 }), password: Type.String({ maxLength: passwordLimits.most }) },
        { ...closed, examples: [{ email: 'owner@localhost', password: 'correct horse battery staple' }] },
      ),
      response: {
        200: User,
        401: problem('The email address or the password is wrong.'),
        422: refusals[422],
        429: problem('Too many attempts. Wait as long as Retry-After says.'),
        503: refusals[503],
      },
    },
  },
  getSession: {
    method: 'GET',
    url: '/v1/session',
    schema: {
      operationId: 'getSession',
      summary: 'Show the user who is signed in',
      tags: ['Sign in'],
      security: bySession,
      response: { 200: User, 401: refusals[401], 503: refusals[503] },
    },
  },
  signOut: {
    method: 'DELETE',
    url: '/v1/session',
    schema: {
      operationId: 'signOut',
      summary: 'Sign out, on this device or on all',
      tags: ['Sign in'],
      security: bySession,
      querystring: Type.Object(
        {
          everywhere: Type.Optional(
            Type.Boolean({ description: 'Whether to end the sessions on all devices.', default: false }),
          ),
        },
        closed,
      ),
      response: { ...noContent, 401: refusals[401], 403: refusals[403], 503: refusals[503] },
    },
  },
} as const
