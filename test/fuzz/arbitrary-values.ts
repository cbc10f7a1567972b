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
  '9999-12-31T23:59:59Z',
  '0000-01-01T00:00:00Z',
  '0001-01-01',
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

/** What is valid in a parameter or property of this name, beyond what its schema says. */
const validTexts: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    ['from', 'to', 'compareFrom', 'compareTo', 'occurredAt', 'expiresAt', 'before'].map((name) => [
      name,
      ['2025-11-21T10:15:30.250Z', '2026-10-25', '2026-11-28T10:00:00+05:45', '2026-12-01', '2027-01-01T00:00:00Z'],
    ]),
  ),
  project: ['default'],
  tz: ['UTC', 'Europe/Paris', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'America/St_Johns'],
  filter: [
    'country:is:DE,AT',
    'browser:not:Chrome',
    'referrer:is:',
    'path:is:/a\\,b',
    'target:is:button',
    'utm_source:not:x',
  ],
  origins: ['https://shop.example', '*'],
  url: ['https://shop.example/spring?a=b#c', 'http://xn--bcher-kva.example:8080/'],
  target: ['button', 'signup-button', 'blog/1', 'Füße 🧨'],
  visitorId: ['u-17', 'u-18', 'u-19'],
  userAgent: ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'curl/8.14.1', 'Googlebot/2.1'],
}

const hostileText = fc.oneof(fc.constantFrom(...hostileTexts), fc.string({ unit: 'binary', maxLength: 60 }))

/**
 * Values for a schema: mostly valid or nearly valid ones, so that requests get past the first check, and now and then anything.
 */
export function valueFor(schema: Schema): Arbitrary<unknown> {
  return fc.oneof({ weight: 12, arbitrary: nearlyValid(schema) }, { weight: 1, arbitrary: anyValue })
}

/** Values that the schema allows: a request is accepted as far as its parts fit together. @param name of the parameter or property */
export function validValue(schema: Schema, name = ''): Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map((each) => validValue(each, name)))
  switch (typeOf(schema)) {
    case 'string':
      return fc.constantFrom(...validStrings(schema, name))
    case 'integer':
    case 'number': {
      const { minimum = 0, maximum = 1_000 } = schema
      return fc.integer({ min: Math.ceil(minimum), max: Math.min(Math.floor(maximum), 2 ** 31 - 1) })
    }
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    case 'array':
      return fc.array(validValue(schema.items ?? {}, name), {
        minLength: 1,
        maxLength: Math.min(schema.maxItems ?? 5, 5),
      })
    case 'object':
      return fc.record(
        Object.fromEntries(
          Object.entries(schema.properties ?? {}).map(([property, each]) => [property, validValue(each, property)]),
        ),
        { requiredKeys: (schema.required ?? []) as never },
      )
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

/** Few different ones, so that requests meet what earlier ones created. */
function validStrings(schema: Schema, name: string): readonly string[] {
  const { pattern, minLength = 0, maxLength = 64 } = schema
  const generated =
    pattern === undefined
      ? fc.string({ minLength, maxLength: Math.min(maxLength, Math.max(minLength, 20)) })
      : fc.stringMatching(new RegExp(pattern)).filter(({ length }) => length >= minLength && length <= maxLength)
  return [...examplesOf(schema), ...(validTexts[name] ?? fc.sample(generated, { numRuns: 5, seed: 1 }))]
}

function nearlyValid(schema: Schema): Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  if (schema.anyOf !== undefined && schema.anyOf.length > 0) return fc.oneof(...schema.anyOf.map(valueFor))
  switch (typeOf(schema)) {
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

function typeOf({ type }: Schema): unknown {
  return Array.isArray(type) ? type[0] : type
}

function examplesOf({ examples = [] }: Schema): string[] {
  return examples.filter((example) => typeof example === 'string')
}

function nested(depth: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { a: value }
  return value
}
