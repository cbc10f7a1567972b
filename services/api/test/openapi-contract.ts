import Schema from 'typebox/schema'
import { expect } from 'vitest'

export interface Content {
  readonly schema: { readonly $ref?: string }
  readonly example?: unknown
}
interface Body {
  readonly description: string
  readonly content?: Readonly<Record<string, Content>>
}
export interface OpenApiDocument {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<
          string,
          { readonly operationId: string; readonly requestBody?: Body; readonly responses: Record<string, Body> }
        >
      >
    >
  >
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
}

/** A schema without references, in which no object may have properties that the document does not name. */
export function strictSchema(document: OpenApiDocument, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => strictSchema(document, each))
  if (typeof value !== 'object' || value === null) return value
  const { $ref } = value as { $ref?: string }
  if ($ref !== undefined) return strictSchema(document, document.components.schemas[$ref.split('/').at(-1) ?? ''])
  const entries = Object.entries(value).map(([key, each]) => [key, strictSchema(document, each)])
  return { ...('properties' in value && { additionalProperties: false }), ...Object.fromEntries(entries) }
}

/** Fails if the document does not describe this answer of a path under /v1, or describes another. */
export function expectDocumented(
  document: OpenApiDocument,
  url: string,
  answer: { readonly status: number; readonly type: unknown; readonly body: unknown },
): void {
  const path =
    url
      .split('?', 1)[0]
      ?.replace(/^\/v1\/events\/.+/, '/v1/events/{id}')
      .replace(/^\/v1\/counts\/by\/.+/, '/v1/counts/by/{dimension}') ?? ''
  const type = String(answer.type).split(';', 1)[0] ?? ''
  const schema = document.paths[path]?.get?.responses[answer.status]?.content?.[type]?.schema
  expect(schema, `${answer.status} ${type} of ${path}`).toBeDefined()
  const [valid, errors] = Schema.Errors(strictSchema(document, schema) as object, answer.body)
  expect({ path, valid, errors: valid ? [] : errors }).toEqual({ path, valid: true, errors: [] })
}
