import { isUtf8 } from 'node:buffer'
import type { Click } from '@clicktally/event/click.ts'
import { optionalTexts } from '@clicktally/event/event-fields.ts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ClickLine } from '../click-line.ts'
import { clicksMessageType, decodeMessage, encodeClick } from '../clicks-message.ts'
import { derivedUuidV7 } from '../derived-uuid-v7.ts'
import { encodeShort, requestFieldsAt } from '../short-line.ts'

const line = new ClickLine()

function formatId(words: Int32Array): string {
  const hex = Array.from(words, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** What the line says, in the form of a click without its requestId, which it does not keep. */
function fieldsOf(line: ClickLine, content: Buffer) {
  const { propsFrom, propsTo } = line
  const text = (start: number, end: number) => content.toString('utf8', start, end)
  return {
    id: formatId(line.id),
    projectId: line.projectId,
    target: text(line.targetFrom, line.targetTo),
    occurredAtMs: line.occurredAtMs,
    receivedAtMs: line.receivedAtMs,
    ...(line.bot && { bot: true }),
    ...Object.fromEntries(
      optionalTexts().flatMap(({ name }, index) => {
        const [start = 0, end = 0] = line.texts.slice(2 * index)
        return start > 0 ? [[name, text(start, end)]] : []
      }),
    ),
    // As JSON.stringify would write it again: so it is what the database is given either way.
    ...(propsFrom > 0 && { props: text(propsFrom, propsTo) }),
  }
}

/** What is read of a line; undefined where it is left to the decoder. */
function read(content: Buffer, from = 0, to = content.length) {
  return line.read(content, from, to) ? fieldsOf(line, content) : undefined
}

function decoded(content: Buffer) {
  const [click] = decodeMessage(clicksMessageType, content).clicks
  if (click === undefined) return undefined
  const { requestId: _, props, ...rest } = click
  return { ...rest, ...(props !== undefined && { props: JSON.stringify(props) }) }
}

/** With props as an object: a name that is there twice counts once. */
function parsed(found: ReturnType<typeof read>) {
  return found?.props === undefined ? found : { ...found, props: JSON.parse(found.props) }
}

const plain = fc.string({ unit: fc.constantFrom(...'abcXYZ019 /:?=&-_.~äß日👋'), maxLength: 60 })
const anyText = fc.oneof(
  { weight: 9, arbitrary: plain },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
)
const time = fc.oneof(
  fc.integer({ min: 0, max: 253_402_300_799_999 }),
  fc.constantFrom(0, 253_402_300_799_999, -1, 0.5, 1e-7, 1_763_700_000_000.25),
)
const value = fc.oneof(
  anyText,
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(
    0,
    0.1,
    0.000_001,
    0.000_000_1,
    1e21,
    123_456_789_012_345,
    1_234_567_890_123_456,
    12.5,
    -3,
    true,
    false,
    null,
  ),
)
const anyClick: fc.Arbitrary<Click> = fc.record(
  {
    id: fc
      .tuple(fc.integer({ min: 0, max: 281_474_976_710_655 }), fc.string())
      .map(([ms, seed]) => derivedUuidV7(ms, seed)),
    projectId: fc.oneof(fc.integer({ min: 1, max: 2_147_483_647 }), fc.constantFrom(1, 2_147_483_647)),
    target: anyText.filter((text) => text !== ''),
    occurredAtMs: time,
    receivedAtMs: time,
    requestId: anyText,
    bot: fc.constant(true as const),
    visitorId: anyText,
    url: anyText,
    referrer: anyText,
    country: anyText.map((text) => text.slice(0, 2).toWellFormed()),
    agent: anyText.map((text) => text.slice(0, 3).toWellFormed()),
    // Names that are numbers JavaScript would put first: the database does not care for the order, the comparison here does.
    props: fc.dictionary(
      anyText.map((key) => `k${key}`),
      value,
      { maxKeys: 5, noNullPrototype: true },
    ),
  },
  { requiredKeys: ['id', 'projectId', 'target', 'occurredAtMs', 'receivedAtMs', 'requestId'] },
)
const click: Click = {
  id: '019aa3f0-5c00-7abc-8def-0123456789ab',
  projectId: 1,
  target: 'button',
  occurredAtMs: 1_763_700_000_000,
  receivedAtMs: 1_763_700_000_001,
  requestId: 'request-1',
  bot: true,
  visitorId: 'visitor',
  url: 'https://example.com/ü',
  referrer: '',
  country: 'JP',
  agent: 'bba',
  props: { size: 12.5, wide: false, none: null, name: 'x', '': -1 },
}

const change = fc.record({
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  remove: fc.nat({ max: 3 }),
  insert: fc.oneof(
    fc.constantFrom(
      ...'{}[]",:\\0123456789-.eE+ \t\n\r\0atfn_',
      'null',
      'true',
      '1e9',
      '\\u0000',
      '\\n',
      '-0',
      '007',
      '"x":',
    ),
    fc.string({ unit: 'binary', maxLength: 2 }),
  ),
})

/** The text after some changes of its bytes. */
function changed(text: string, changes: readonly { at: number; remove: number; insert: string }[]): Buffer {
  const bytes = [...Buffer.from(text)]
  for (const { at, remove, insert } of changes)
    bytes.splice(Math.floor(at * bytes.length), remove, ...Buffer.from(insert))
  return Buffer.from(bytes)
}

describe('a click line that is scanned', () => {
  test('is read with all its fields if nothing in it is escaped', () => {
    const content = Buffer.from(encodeClick(click))
    expect(read(content)).toEqual(decoded(content))
    expect(read(content)).toBeDefined()
    const { id, projectId, target, occurredAtMs, receivedAtMs, requestId } = click
    const least = Buffer.from(encodeClick({ id, projectId, target, occurredAtMs, receivedAtMs, requestId }))
    expect(read(least)).toEqual(decoded(least))
    expect(read(least)).toBeDefined()
  })

  test('is read if a text has the greatest length, and left to the decoder if it has more bytes than that', () => {
    const long = { ...click, target: 'x'.repeat(256), visitorId: 'v'.repeat(128), url: 'u'.repeat(2_048) }
    const props = Object.fromEntries(Array.from({ length: 30 }, (_, key) => [`k${key}`.padEnd(128), 'x'.repeat(1_024)]))
    expect(read(Buffer.from(encodeClick({ ...long, props })))).toMatchObject({ target: long.target, url: long.url })
    for (const change of [
      { target: 'ä'.repeat(129) },
      { visitorId: 'ä'.repeat(65) },
      { url: 'ä'.repeat(1_025) },
      { referrer: 'ä'.repeat(1_025) },
      { props: { a: 'ä'.repeat(513) } },
      { props: { ['ä'.repeat(65)]: 1 } },
    ]) {
      const content = Buffer.from(encodeClick({ ...click, ...change }))
      expect(read(content)).toBeUndefined()
      expect(decoded(content)).toBeDefined()
    }
  })

  test('is not read without the time of the click, unless it is short', () => {
    const complete = Buffer.from(encodeClick(click).replace(',"occurredAtMs":1763700000000', ''))
    expect(read(complete)).toBeUndefined()
    const short = Buffer.from(encodeShort({ ...click, occurredAtMs: 1_763_687_029_760 }))
    expect(short.toString()).not.toContain('occurredAtMs')
    expect(read(short)).toMatchObject({ id: click.id, occurredAtMs: 1_763_687_029_760 })
  })

  test('is read between other lines, and not beyond its end', () => {
    const text = encodeClick(click)
    const content = Buffer.from(`${text}\n${text}\n${text}`)
    const length = Buffer.byteLength(text)
    expect(read(content, length + 1, 2 * length + 1)).toMatchObject({ id: click.id, target: 'button' })
    expect(read(content, length + 1, 2 * length)).toBeUndefined()
    expect(read(content, length + 1, 2 * length + 2)).toBeUndefined()
    expect(read(Buffer.from(text.slice(0, -1)), 0, length - 1)).toBeUndefined()
  })

  test.each([
    '1.0',
    '1.50',
    '-0',
    '-0.5',
    '01',
    '1e3',
    '1E3',
    '.5',
    '1.',
    '+1',
    '0.0000001',
    '1234567890123456',
    '-',
    'nul',
    'NaN',
  ])('is not read if a prop is %s, which would be written differently again', (value) => {
    const content = Buffer.from(
      encodeClick({ ...click, props: { size: 7, last: 1 } }).replace('"size":7', `"size":${value}`),
    )
    expect(content.toString()).toContain(`"size":${value},`)
    expect(read(content)).toBeUndefined()
  })

  test('gives the same click as the decoder, whatever it contains', () => {
    let quick = 0
    fc.assert(
      fc.property(anyClick, (any) => {
        const content = Buffer.from(encodeClick(any))
        const found = read(content)
        if (found === undefined) return
        quick += 1
        expect(found).toEqual(decoded(content))
      }),
      { numRuns: 5_000 },
    )
    expect(quick).toBeGreaterThan(500)
  })

  test('after any change, gives the same click as the decoder, or is left to it', () => {
    fc.assert(
      fc.property(
        fc.oneof(anyClick, fc.constant(click)),
        fc.array(change, { minLength: 1, maxLength: 3 }),
        (any, changes) => {
          const content = changed(encodeClick(any), changes)
          if (!isUtf8(content)) return
          const found = read(content)
          if (found !== undefined) expect(parsed(found)).toEqual(parsed(decoded(content)))
        },
      ),
      { numRuns: 8_000 },
    )
  })

  test('gives the same clicks of a message with short lines as the decoder, also after any change', () => {
    const requests = fc.array(
      fc.tuple(fc.oneof(anyClick, fc.constant(click)), fc.array(fc.oneof(anyClick, fc.constant(click)))),
      {
        minLength: 1,
        maxLength: 3,
      },
    )
    const type = fc.constantFrom('clicks.v1', 'clicks.v2')
    let short = 0
    fc.assert(
      fc.property(requests, fc.array(change, { maxLength: 2 }), type, (sent, changes, type) => {
        const lines = sent.flatMap(([first, others]) => [encodeClick(first), ...others.map(encodeShort)])
        const content = changed(lines.join('\n'), changes)
        if (!isUtf8(content)) return
        const scanned: Click[] = []
        const rest = decodeMessage(type, content, (line, _from, _to, requestFrom) => {
          const { requestId } = requestFieldsAt(content, requestFrom)
          scanned.push({ ...parsed(fieldsOf(line, content)), requestId } as Click)
          if (line.isShort) short += 1
        })
        const all = decodeMessage(type, content)
        const sorted = (clicks: readonly Click[]) =>
          clicks.map((click) => JSON.stringify(Object.entries(click).sort())).sort()
        expect(sorted([...scanned, ...rest.clicks])).toEqual(sorted(all.clicks))
        expect(rest.undecodable).toEqual(all.undecodable)
      }),
      { numRuns: 1_500 },
    )
    expect(short).toBeGreaterThan(500)
  })
})
