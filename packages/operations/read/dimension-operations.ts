import Type, { type Static } from 'typebox'
import { project, refusals } from './read-schemas.ts'

export const DimensionList = Type.Object(
  {
    dimensions: Type.Array(
      Type.Object({
        name: Type.String({ description: 'The name in `/v1/counts/by/{dimension}` and in `filter`.' }),
        description: Type.String(),
      }),
    ),
  },
  {
    title: 'DimensionList',
    examples: [
      {
        dimensions: [
          { name: 'country', description: 'The country of the visitor, as an ISO 3166 code of two letters.' },
          { name: 'props.plan', description: 'The value of the prop "plan".' },
        ],
      },
    ],
  },
)
export type DimensionList = Static<typeof DimensionList>

/** The operation that tells by what clicks can be broken down. */
export const dimensionOperations = {
  listDimensions: {
    method: 'GET',
    url: '/v1/counts/by',
    schema: {
      operationId: 'listDimensions',
      summary: 'List the dimensions of the project',
      description: 'Every project has the same, and `props.<name>` for each prop that it has declared.',
      tags: ['Read counts'],
      querystring: Type.Object(project, { additionalProperties: false }),
      response: { 200: DimensionList, ...refusals },
    },
  },
} as const
