import fc, { type Arbitrary } from 'fast-check'
import type { Schema } from './openapi.ts'

/** What often breaks parsers, databases and terminals. */
const hostileTexts = [
  '',
  '\0',
  '\u0000\u001b[31m',
  '\ud800',
  '\u202e',
  '🧨'.repeat(40),
  'a'.repeat(300),
  'a'.repeat(3_000),
  "'; drop table clicks; --",
  '../../../etc/passwd',
  '%00%0d%0a',
  '__proto__',
  'constructor',
  'NaN',
  '1e999',
  '-0',
  '9999-12-31T23:59:60Z',
  '0000-00-00T00:00:00Z',
  '2026-02-30T00:00:00+25:00',
  'Europe/Nowhere',
  '00000000-0000-7000-8000-000000000000',
  'ffffffff-ffff-7fff-bfff-ffffffffffff',
]

const hostileNumbers = [0, -0, -1, 1.5, 1e21, -1e21, 2_147_483_648, Number.MAX_SAFE_INTEGER, 5e-324]

/** Any JSON value, hostile texts and numbers among them; now and then deeply nested. */
export const anyValue: Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(...hostileTexts, ...hostileNumbers, null, true, false, [], {}),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.jsonValue({ maxDepth: 3 }),
  fc.integer({ min: 1, max: 400 }).map((depth) => nested(depth)),
)

const hostileText = fc.oneof(fc.constantFrom(...hostileTexts), fc.string({ unit: 'binary', maxLength: 60 }))

/**
 * Values for a schema: mostly valid or nearly valid ones, so that requests get past the first check, and now and then anything.
 */
export function valueFor(schema: Schema): Arbitrary<unknown> {
  return fc.oneof({ weight: 12, arbitrary: nearlyValid(schema) }, { weight: 1, arbitrary: anyValue })
}

function nearlyValid(schema: Schema): Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  if (schema.anyOf !== undefined && schema.anyOf.length > 0) return fc.oneof(...schema.anyOf.map(valueFor))
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type
  switch (type) {
    case 'string':
      return fc.oneof(
        fc.constantFrom(...examplesOf(schema), 'button', 'default', '2026-11-28T10:00:00Z', '/pricing?a=b#c'),
        hostileText,
      )
    case 'integer':
    case 'number':
      return fc.oneof(
        fc.integer({ min: schema.minimum ?? -10, max: Math.min(schema.maximum ?? 1_000, 2 ** 31 - 1) }),
        fc.constantFrom(...hostileNumbers),
      )
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    case 'array':
      return fc.array(valueFor(schema.items ?? {}), { maxLength: Math.min(schema.maxItems ?? 5, 20) })
    case 'object':
      return objectFor(schema)
    default:
      return anyValue
  }
}

/** Mostly with all required properties; at times with an unknown one, or with one of the wrong form. */
function objectFor({ properties = {}, required = [], additionalProperties }: Schema): Arbitrary<unknown> {
  const known = fc.record(
    Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, valueFor(each)])),
    {
      requiredKeys: required as never,
    },
  )
  const extra =
    typeof additionalProperties === 'object'
      ? fc.dictionary(hostileText, valueFor(additionalProperties), { maxKeys: 5 })
      : fc.dictionary(hostileText, anyValue, { maxKeys: 1 })
  const isOpen = typeof additionalProperties === 'object' || additionalProperties === true
  return fc
    .tuple(known, fc.oneof({ weight: isOpen ? 1 : 12, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: extra }))
    .map(([own, more]) => ({ ...own, ...more }))
}

function examplesOf({ examples = [] }: Schema): string[] {
  return examples.filter((example) => typeof example === 'string')
}

function nested(depth: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { a: value }
  return value
}
