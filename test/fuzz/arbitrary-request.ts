import { gzipSync } from 'node:zlib'
import fc, { type Arbitrary } from 'fast-check'
import { valueFor } from './arbitrary-values.ts'
import type { Operation } from './openapi.ts'

/** A request as it is sent. */
export interface FuzzRequest {
  readonly operation: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | undefined
}

/** The names of things that exist, or once existed, for path parameters. */
const knownIds = ['default', '0000000000ab', '019c0000-0000-7000-8000-000000000001']
const headerText = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
  maxLength: 80,
})

/**
 * Requests for an operation: its parameters and body by their schemas, nearly valid; at times another media type, a broken or
 * compressed body, another key or none, headers that proxies set.
 *
 * @param keys valid ones, of several roles
 */
export function requestFor(operation: Operation, keys: readonly string[]): Arbitrary<FuzzRequest> {
  const parameters = fc.record(
    Object.fromEntries(
      operation.parameters.map(({ name, in: place, schema, example }) => [
        name,
        place === 'path'
          ? fc.oneof(fc.constantFrom(...knownIds), valueFor(schema))
          : // One invalid parameter is enough for a refusal: with examples, and few parameters, some requests pass.
            fc.option(fc.oneof(valueFor(schema), ...(example === undefined ? [] : [fc.constant(example)])), {
              nil: undefined,
              freq: 1,
            }),
      ]),
    ),
    { requiredKeys: operation.parameters.filter(({ in: place }) => place === 'path').map(({ name }) => name) as never },
  )
  const bodies = operation.bodies.map(({ type, schema }) =>
    fc.tuple(
      fc.constant(type),
      fc.oneof({ weight: 10, arbitrary: bodyFor(type, valueFor(schema)) }, { weight: 1, arbitrary: brokenBody }),
    ),
  )
  const body: Arbitrary<[string, Buffer] | undefined> =
    bodies.length > 0
      ? fc.oneof(...bodies)
      : fc.option(fc.tuple(fc.constant('application/json'), brokenBody), { nil: undefined, freq: 20 })
  return fc.tuple(parameters, body, credentials(keys), oddHeaders).map(([values, sent, authorization, odd]) => {
    const inPath = (name: string) => operation.parameters.some((each) => each.in === 'path' && each.name === name)
    const query = new URLSearchParams(
      Object.entries(values as Record<string, unknown>)
        .filter(([name, value]) => !inPath(name) && value !== undefined)
        .map(([name, value]): [string, string] => [name, textOf(value)]),
    )
    const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(textOf((values as Record<string, unknown>)[name]).toWellFormed()).slice(0, 2_000),
    )
    return {
      ...{ operation: operation.id, method: operation.method },
      path: (query.size > 0 ? `${path}?${query}` : path).slice(0, 6_000),
      headers: { ...(sent !== undefined && { 'content-type': sent[0] }), ...authorization, ...odd },
      body: sent?.[1],
    }
  })
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

function credentials(keys: readonly string[]): Arbitrary<Record<string, string>> {
  return fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...keys).map((key) => ({ authorization: `Bearer ${key}` })) },
    { weight: 1, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: headerText.map((text) => ({ authorization: text })) },
    { weight: 1, arbitrary: headerText.map((text) => ({ cookie: `__Host-clicktally=${text}` })) },
  )
}

const oddHeaders: Arbitrary<Record<string, string>> = fc.oneof(
  { weight: 12, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Record<string, string>>(
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
    ),
  },
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
