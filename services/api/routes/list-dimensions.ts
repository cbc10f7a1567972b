import { dimensions, propDimension, targetDimension } from '@clicktally/dimensions/dimensions.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import type { DimensionList } from '@clicktally/operations/read/dimension-operations.ts'
import { readOperations } from '@clicktally/operations/read-operations.ts'
import { cellOf, projectOf } from '../access/reader-access.ts'
import type { ApiContext } from '../api-context.ts'
import { declaredProps } from '../queries/declared-props.ts'
import { setCaching } from '../response/caching.ts'

/** GET /v1/counts/by */
export function listDimensions(app: HttpApp, { access }: ApiContext): void {
  const { method, url, schema } = readOperations.listDimensions
  app.options(url, access.preflight)
  app.route({
    method,
    url,
    onRequest: access.requires('read'),
    schema: { querystring: schema.querystring },
    async handler(request, reply): Promise<DimensionList> {
      const props = await declaredProps(cellOf(request).db, projectOf(request))
      setCaching(reply)
      return {
        dimensions: [targetDimension, ...dimensions, ...props.map(propDimension)].map(({ name, description }) => ({
          name,
          description,
        })),
      }
    },
  })
}
