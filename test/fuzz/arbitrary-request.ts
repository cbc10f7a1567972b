import { gzipSync } from 'node:zlib'
import fc, { type Arbitrary } from 'fast-check'
import { validValue, valueFor } from './arbitrary-values.ts'
import type { Body, Operation, Parameter } from './openapi.ts'

/** A request as it is sent. */
export interface FuzzRequest {
  readonly operation: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | undefined
}

const headerText = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
  maxLength: 80,
})

type Values = Readonly<Record<string, unknown>>

/** A request is made of these. */
interface Parts {
  /** Parameters of path and query by name; undefined: left out. */
  readonly values: Values
  readonly body: readonly [type: string, bytes: Buffer] | undefined
  readonly authorization: Readonly<Record<string, string>>
  readonly odd: Readonly<Record<string, string>>
}

type Arbitraries = { readonly [Part in keyof Parts]: Arbitrary<Parts[Part]> }

/**
 * Requests for an operation. Some are valid; of most, one part is not, so that they get past the checks of the others; and of some all
 * parts may be wrong.
 *
 * @param keys valid ones: an owner's first, then those of other roles
 * @param ids things that exist, by the name of the parameter
 */
export function requestFor(
  operation: Operation,
  keys: readonly string[],
  ids: (name: string) => readonly string[],
): Arbitrary<FuzzRequest> {
  const valid: Arbitraries = {
    values: valuesOf(operation, (parameter) => validParameter(parameter, ids(parameter.name)), 3),
    body: operation.bodies.length > 0 ? fc.oneof(...operation.bodies.map(validBody)) : fc.constant(undefined),
    authorization: fc.oneof(validCredentials(keys.slice(0, 1)), validCredentials(keys)),
    odd: fc.constant({}),
  }
  const wrong: Arbitraries = {
    values: valuesOf(operation, (parameter) => anyParameter(parameter, ids(parameter.name)), 1),
    body: operation.bodies.length > 0 ? fc.oneof(...operation.bodies.map(anyBody)) : oddBody,
    authorization: anyCredentials,
    odd: oddHeaders,
  }
  // Changes are rarely valid, so that what exists does not grow without limit. Questions have many valid forms.
  const validWeight = operation.method === 'GET' ? 10 : 1
  return fc
    .oneof(
      { weight: validWeight, arbitrary: fc.record(valid) },
      { weight: 4, arbitrary: fc.record({ ...valid, values: wrong.values }) },
      { weight: 4, arbitrary: fc.record({ ...valid, body: wrong.body }) },
      { weight: 1, arbitrary: fc.record({ ...valid, authorization: wrong.authorization }) },
      { weight: 1, arbitrary: fc.record({ ...valid, odd: wrong.odd }) },
      { weight: 4, arbitrary: fc.record({ ...valid, values: wrong.values, body: wrong.body }) },
    )
    .map((parts) => requestOf(operation, parts))
}

function requestOf(
  { id, method, path, parameters }: Operation,
  { values, body, authorization, odd }: Parts,
): FuzzRequest {
  const query = new URLSearchParams(
    parameters.flatMap(({ in: place, name }) => {
      const value = values[name]
      if (place === 'path' || value === undefined) return []
      // A list is sent as a repeated parameter.
      return (Array.isArray(value) ? value : [value]).map((each): [string, string] => [name, textOf(each)])
    }),
  )
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(textOf(values[name]).toWellFormed()).slice(0, 2_000),
  )
  return {
    ...{ operation: id, method, path: (query.size > 0 ? `${filled}?${query}` : filled).slice(0, 6_000) },
    headers: { ...(body !== undefined && { 'content-type': body[0] }), ...authorization, ...odd },
    body: body?.[1],
  }
}

/** @param absent how often an optional parameter is left out, as n of n + 1 */
function valuesOf(
  { parameters }: Operation,
  arbitraryOf: (parameter: Parameter) => Arbitrary<unknown>,
  absent: number,
): Arbitrary<Values> {
  const values = parameters.map((parameter) => {
    const value = arbitraryOf(parameter)
    const isOptional = parameter.in === 'query' && parameter.required !== true
    return [parameter.name, isOptional ? leftOut(value, absent) : value] as const
  })
  return fc.record(Object.fromEntries(values))
}

function leftOut(value: Arbitrary<unknown>, weight: number): Arbitrary<unknown> {
  return fc.oneof({ weight, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value })
}

function validParameter({ name, schema, example }: Parameter, ids: readonly string[]): Arbitrary<unknown> {
  if (ids.length > 0) return fc.constantFrom(...ids)
  const value = validValue(schema, name)
  return example === undefined ? value : fc.oneof(fc.constant(example), value)
}

function anyParameter({ schema, example }: Parameter, ids: readonly string[]): Arbitrary<unknown> {
  const known = [...ids, example ?? '019c0000-0000-7000-8000-000000000001']
  return fc.oneof(fc.constantFrom(...known), valueFor(schema))
}

function validBody({ type, schema, example }: Body): Arbitrary<Parts['body']> {
  // Such a text is described by an example alone.
  const value = type === 'application/json' ? validValue(schema) : fc.constant(example)
  const values = example === undefined ? value : fc.oneof(fc.constant(example), value)
  return values.map((each) => [type, Buffer.from(type === 'application/json' ? JSON.stringify(each) : textOf(each))])
}

function anyBody({ type, schema }: Body): Arbitrary<Parts['body']> {
  return fc.tuple(
    fc.constant(type),
    fc.oneof({ weight: 10, arbitrary: bodyFor(type, valueFor(schema)) }, { weight: 1, arbitrary: brokenBody }),
  )
}

function bodyFor(type: string, value: Arbitrary<unknown>): Arbitrary<Buffer> {
  if (type === 'application/x-ndjson') {
    const lines = fc.array(fc.oneof(value.map(textOf), fc.constantFrom('', '{', '{"target":"a"}')), { maxLength: 20 })
    return lines.map((each) => Buffer.from(each.join('\n')))
  }
  if (type === 'text/plain') return value.map((each) => Buffer.from(textOf(each)))
  return value.map((each) => Buffer.from(JSON.stringify(each) ?? 'null'))
}

const brokenBody: Arbitrary<Buffer> = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(
    ...[
      '',
      '{',
      '[',
      '"',
      'null',
      '{"events":[',
      '{"target":',
      '\ufeff{}',
      '{"a":1}{"a":1}',
      '{"__proto__":{"x":1},"target":"a"}',
    ].map((text) => Buffer.from(text)),
    Buffer.from('['.repeat(5_000)),
    Buffer.from([0xff, 0xfe, 0x00]),
  ),
)

/** Of an operation that takes none. */
const oddBody: Arbitrary<Parts['body']> = fc.option(fc.tuple(fc.constant('application/json'), brokenBody), {
  nil: undefined,
})

function validCredentials(keys: readonly string[]): Arbitrary<Parts['authorization']> {
  return fc.constantFrom(...keys).map((key) => ({ authorization: `Bearer ${key}` }))
}

const anyCredentials: Arbitrary<Parts['authorization']> = fc.oneof(
  fc.constant({}),
  headerText.map((text) => ({ authorization: text })),
  headerText.map((text) => ({ cookie: `__Host-clicktally=${text}` })),
)

const oddHeaders = fc.constantFrom<Record<string, string>>(
  { 'content-encoding': 'gzip' },
  { 'content-encoding': 'br' },
  { 'content-encoding': 'gzip, gzip' },
  { origin: 'https://evil.example' },
  { origin: 'null' },
  { 'x-forwarded-for': '127.0.0.1, ::1' },
  { 'x-request-start': 't=99999999999.999' },
  { 'x-request-id': '../../x' },
  { range: 'bytes=0-18446744073709551615' },
  { accept: 'text/html;q=0' },
  { 'if-none-match': '*' },
  { 'content-type': 'application/json; charset=utf-16' },
  { 'content-type': 'multipart/form-data' },
)

/** A small body that inflates to 200 MB. */
export const gzipBomb: FuzzRequest = {
  ...{ operation: 'gzipBomb', method: 'POST', path: '/v1/events/batch' },
  headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
  body: gzipSync(Buffer.alloc(200_000_000)),
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}
