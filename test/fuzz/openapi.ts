/** The parts of a JSON schema that the API's schemas use. */
export interface Schema {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  readonly maxItems?: number
  readonly examples?: readonly unknown[]
}

export interface Parameter {
  readonly name: string
  readonly in: 'query' | 'path'
  readonly required?: boolean
  readonly schema: Schema
  readonly example?: unknown
}

interface DocumentedOperation {
  readonly operationId: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, Omit<Body, 'type'>>> }
}

export interface Body {
  /** Media type. */
  readonly type: string
  readonly schema: Schema
  readonly example?: unknown
}

/** One operation of the OpenAPI document. */
export interface Operation {
  readonly id: string
  readonly method: string
  /** With placeholders: /v1/keys/{id}. */
  readonly path: string
  readonly parameters: readonly Parameter[]
  readonly bodies: readonly Body[]
}

/** Reads the operations of a running system. */
export async function readOperations(baseUrl: string): Promise<Operation[]> {
  const response = await fetch(new URL('/openapi.json', baseUrl))
  const document = (await response.json()) as {
    paths: Record<string, Record<string, DocumentedOperation>>
    components: { schemas: Record<string, Schema> }
  }
  const paths = withoutReferences(document.paths, document.components.schemas) as typeof document.paths
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { operationId: id, parameters = [], requestBody }]) => ({
      ...{ id, method: method.toUpperCase(), path, parameters },
      bodies: Object.entries(requestBody?.content ?? {}).map(([type, body]) => ({ type, ...body })),
    })),
  )
}

function withoutReferences(value: unknown, schemas: Record<string, Schema>): unknown {
  if (Array.isArray(value)) return value.map((each) => withoutReferences(each, schemas))
  if (typeof value !== 'object' || value === null) return value
  const { $ref } = value as { $ref?: string }
  if (typeof $ref === 'string') return withoutReferences(schemas[$ref.split('/').at(-1) ?? ''], schemas)
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withoutReferences(each, schemas)]))
}
