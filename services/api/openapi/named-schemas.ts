type Json = unknown
type JsonObject = { [key: string]: Json }

/**
 * Moves each object schema that has a title to `components.schemas` of an OpenAPI document, and refers to it where it was: generated
 * clients then have one named type for it.
 */
export function nameSchemas(document: JsonObject): JsonObject {
  const schemas: JsonObject = {}
  const examplesOf: JsonObject = {}
  const named = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(named)
    if (typeof value !== 'object' || value === null) return value
    const entries = Object.entries(value).map(([key, each]) => [key, named(each)])
    // @fastify/swagger moves the examples of a body from its schema to its media type.
    const { title, examples, ...schema } = Object.fromEntries(entries) as JsonObject
    if (typeof title !== 'string' || schema.type !== 'object') return Object.fromEntries(entries)
    const known = schemas[title]
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(schema))
      throw new Error(`two schemas have the title ${title}`)
    schemas[title] = schema
    if (examples !== undefined) examplesOf[title] = examples
    return { $ref: `#/components/schemas/${title}` }
  }
  const { components, ...rest } = document
  const paths = named(rest) as JsonObject
  for (const [title, examples] of Object.entries(examplesOf)) Object.assign(schemas[title] as JsonObject, { examples })
  return { ...paths, components: { ...(components as JsonObject), schemas } }
}
