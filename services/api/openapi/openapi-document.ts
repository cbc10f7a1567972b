import { STATUS_CODES } from 'node:http'
import { sessionCookie } from '@clicktally/access/credential.ts'
import { deadLetterOperations } from '@clicktally/operations/dead-letter-operations.ts'
import { followOperations } from '@clicktally/operations/follow-operations.ts'
import { liveOperations } from '@clicktally/operations/live-operations.ts'
import { ownerOperations } from '@clicktally/operations/owner-operations.ts'
import { publicOperations } from '@clicktally/operations/public-operations.ts'
import { readOperations } from '@clicktally/operations/read-operations.ts'
import { TestEvent, ThresholdEvent } from '@clicktally/operations/webhook-events.ts'
import { writeOperations } from '@clicktally/operations/write-operations.ts'
import swagger from '@fastify/swagger'
import { type FastifySchema, fastify } from 'fastify'
import { nameSchemas } from './named-schemas.ts'

const tags = {
  'Send clicks': 'With a key of the role `write` or `secret`.',
  'Read counts': 'How often targets were clicked, when, and by how many people.',
  'Read clicks': 'Single clicks, as a list or as a file.',
  'Public counters': 'Counts that anyone may read, as JSON or as an image, without a key.',
  'Dead letters': 'Messages whose clicks could not be counted.',
  Projects: 'A project has its own keys, clicks and counts.',
  Keys: 'What a program may do. The text of a key is shown once.',
  Links: 'Links that count and redirect.',
  Webhooks: 'What is sent to other servers when a target passes a number of clicks or falls silent.',
  Users: 'People who sign in.',
  'Sign in': 'Sessions and passwords of users.',
  'Audit log': 'Who changed what.',
}

/** What webhooks are sent. */
const webhooks = Object.fromEntries(
  (
    [
      ['threshold', 'A target passed a number of clicks, or fell silent', ThresholdEvent],
      ['test', 'An owner tries the webhook', TestEvent],
    ] as const
  ).map(([name, summary, schema]) => {
    const requestBody = { required: true, content: { 'application/json': { schema: schema as object } } }
    const responses = {
      '2XX': { description: 'The event is delivered. Other answers are followed by further attempts.' },
    }
    return [name, { post: { operationId: name, summary, tags: ['Webhooks'], security: [], requestBody, responses } }]
  }),
)

/** Of both documents. */
export const version = '1.0.0'

/**
 * Builds the OpenAPI 3.1 document for both HTTP services from the operations' schemas. The routes are registered in an app
 * that never listens, because the document includes the routes of ingest, which this service does not serve.
 */
export async function openApiDocument(): Promise<object> {
  const app = fastify()
  // The schemas are only rendered: nothing is validated or sent.
  app.setValidatorCompiler(() => () => true)
  app.setSerializerCompiler(() => () => '')
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Clicktally',
        version,
        description: 'Click counter. Every click that receives a 202 response is counted exactly once.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
      components: {
        securitySchemes: {
          key: { type: 'http', scheme: 'bearer', description: 'A key: ct_…' },
          keyInQuery: {
            ...{ type: 'apiKey', in: 'query', name: 'key' },
            description:
              'A `write` key, for requests that cannot have headers. Other keys are refused: URLs are public.',
          },
          session: {
            ...{ type: 'apiKey', in: 'cookie', name: sessionCookie },
            description: 'The session of a user who has signed in. Only from pages of this server.',
          },
        },
      },
      security: [{ key: [] }, { session: [] }],
      webhooks,
    },
  })
  for (const { method, url, schema } of [
    ...Object.values(writeOperations),
    ...Object.values(readOperations),
    ...Object.values(liveOperations),
    ...Object.values(publicOperations),
    ...Object.values(followOperations),
    ...Object.values(deadLetterOperations),
    ...Object.values(ownerOperations),
  ]) {
    app.route({ method, url, schema: schema as FastifySchema, handler: () => {} })
  }
  await app.ready()
  const document = nameSchemas(app.swagger() as unknown as Record<string, unknown>)
  await app.close()
  return JSON.parse(JSON.stringify(document), describeAnswers) as object
}

/** A reviver of JSON: an answer whose schema has no description is described by the meaning of its status. */
function describeAnswers(status: string, value: unknown): unknown {
  const { description } = (value ?? {}) as { description?: unknown }
  return description === 'Default Response' ? { ...(value as object), description: STATUS_CODES[status] } : value
}
