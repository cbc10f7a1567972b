import { readOperations } from '@clicktally/operations/read-operations.ts'
import type { TSchema } from 'typebox'
import type { HttpApi } from '../api/http-api.ts'

type Json = Readonly<Record<string, unknown>>

/** A question that a model can ask. */
export interface Tool {
  readonly description: string
  /** JSON Schema of an object. */
  readonly inputSchema: { readonly type: 'object' } & Json
  readonly outputSchema: { readonly type: 'object' } & Json
  /** @throws {CliError} if the question is refused or not answered */
  ask(api: HttpApi, values: Json): Promise<object>
}

type Question = 'getCounts' | 'getSeries' | 'getTop' | 'getBreakdown' | 'listDimensions' | 'getReceipt'

/** What a read key cannot use: it has one project. */
const notForReaders = ['project']

/** A tool for an operation of the API. Its parameters, in the path and the query, are the tool's, as the API describes them. */
function toolOf(operation: Question, more = ''): Tool {
  const { schema } = readOperations[operation]
  const path = 'params' in schema ? (schema.params as ObjectSchema) : undefined
  const query = schema.querystring as ObjectSchema
  const properties = Object.entries({ ...path?.properties, ...query.properties }).filter(
    ([name]) => !notForReaders.includes(name),
  )
  const described = 'description' in schema ? ` ${schema.description}` : ''
  return {
    description: `${schema.summary}.${described}${more}`,
    inputSchema: {
      type: 'object',
      properties: Object.fromEntries(properties),
      required: [...(path?.required ?? []), ...(query.required ?? [])],
      additionalProperties: false,
    },
    outputSchema: schema.response[200] as unknown as Tool['outputSchema'],
    async ask(api, values) {
      const [params, querystring] = [{} as Record<string, unknown>, {} as Record<string, unknown>]
      for (const [name, value] of Object.entries(values)) {
        ;(path !== undefined && Object.hasOwn(path.properties, name) ? params : querystring)[name] = value
      }
      return await api.call(operation, { params, querystring } as never)
    },
  }
}

interface ObjectSchema {
  readonly properties: Readonly<Record<string, TSchema>>
  readonly required?: readonly string[]
}

const filters = ' `total` has clicks by people, `bots` those by programs.'

/** The tools by name. */
export const tools: Readonly<Record<string, Tool>> = {
  count: toolOf('getCounts', filters),
  series: toolOf('getSeries', filters),
  top: toolOf('getTop', filters),
  by: toolOf('getBreakdown', filters),
  dimensions: toolOf('listDimensions'),
  receipt: toolOf(
    'getReceipt',
    ' It is counted, dead (with the reason), not seen, or unknown (too old to be looked up: it may have been counted).',
  ),
  health: {
    description:
      'Tell whether Clicktally answers, and how fresh its counts are: every click accepted before `asOf` is included.',
    inputSchema: { type: 'object', properties: {}, additionalProperties: false },
    outputSchema: {
      type: 'object',
      properties: { asOf: { type: ['string', 'null'] }, lagMs: { type: ['integer', 'null'] } },
      required: ['asOf', 'lagMs'],
    },
    async ask(api) {
      // Freshness does not depend on the range. The current minute is the least to read.
      const { meta } = await api.call('getCounts', { querystring: { from: new Date().toISOString() } })
      return { asOf: meta.asOf, lagMs: meta.lagMs }
    },
  },
}
