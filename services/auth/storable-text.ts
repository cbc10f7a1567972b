import type { FastifyRequest } from 'fastify'
import { problem } from './errors.ts'

/**
 * Refuses requests with a text that PostgreSQL cannot store: with U+0000, or half of a surrogate pair.
 *
 * @throws {ServiceProblem} body_invalid
 */
export async function requireStorableText({ params, query, body }: FastifyRequest): Promise<void> {
  for (const part of [params, query, body]) {
    const field = unstorableField(part, '')
    if (field !== undefined) {
      const detail = `"${field}" has a character that cannot be stored: U+0000, or half of a surrogate pair.`
      throw problem('body_invalid', detail, { field })
    }
  }
}

/** The path of the first such text, with dots. */
function unstorableField(value: unknown, path: string): string | undefined {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0') ? undefined : path
  if (typeof value !== 'object' || value === null) return undefined
  for (const [name, each] of Object.entries(value)) {
    const field = unstorableField(each, path === '' ? name : `${path}.${name}`)
    if (field !== undefined) return field
  }
  return undefined
}
