import { readOperations } from '@clicktally/contract/read-operations.ts'
import { writeOperations } from '@clicktally/contract/write-operations.ts'
import swagger from '@fastify/swagger'
import { type FastifySchema, fastify } from 'fastify'

const version = '1.0.0'

/**
 * The OpenAPI 3.1 document of both HTTP services, from the schemas that they validate by. The routes are registered in an
 * app that never listens: ingest is another service, and the document shows its routes beside ours.
 */
export async function openApiDocument(): Promise<object> {
  const app = fastify()
  // Nothing is validated or sent here: the schemas are only shown.
  app.setValidatorCompiler(() => () => true)
  app.setSerializerCompiler(() => () => '')
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Clicktally',
        version,
        description: 'Counts clicks: each click answered 202 is counted exactly once.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      tags: [{ name: 'Send clicks' }, { name: 'Read counts' }],
    },
  })
  for (const { method, url, schema } of [...Object.values(writeOperations), ...Object.values(readOperations)]) {
    app.route({ method, url, schema: schema as FastifySchema, handler: () => {} })
  }
  await app.ready()
  const document = app.swagger()
  await app.close()
  return document
}
