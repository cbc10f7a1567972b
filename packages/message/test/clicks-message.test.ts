import type { Click } from '@clicktally/event/click.ts'
import { clickLimits } from '@clicktally/event/click-event.ts'
import { timeOfUuidV7 } from '@clicktally/event/uuid-v7.ts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ClickLine } from '../click-line.ts'
import { clicksMessageType, decodeMessage, encodeClick } from '../clicks-message.ts'
import { derivedUuidV7 } from '../derived-uuid-v7.ts'
import { encodeShort } from '../short-line.ts'

const text = fc.string({ unit: 'binary' })
/** To the end of the year 9999. */
const time = fc.integer({ min: 0, max: 253_402_300_799_999 })
const prop = fc.oneof(text, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null))
/** What checkClick can let through, and more. JSON has no -0: it comes back as 0. */
const anyClick: fc.Arbitrary<Click> = fc.record(
  {
    id: fc.tuple(time, fc.string()).map(([timeMs, seed]) => derivedUuidV7(timeMs, seed)),
    projectId: fc.integer({ min: 1, max: 2_147_483_647 }),
    target: fc.string({ unit: 'binary', minLength: 1, maxLength: 256 }),
    occurredAtMs: time,
    receivedAtMs: time,
    requestId: text,
    bot: fc.constant(true as const),
    visitorId: text,
    url: text,
    referrer: text,
    props: fc.dictionary(
      text,
      prop.map((value) => (Object.is(value, -0) ? 0 : value)),
      { maxKeys: 30, noNullPrototype: true },
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
}

const later = { ...click, id: '019aa3f0-5c01-7abc-8def-0123456789ab', target: 'later' }
const last = { ...click, id: '019aa3f0-5c02-7abc-8def-0123456789ab', target: 'last', bot: true as const }

function decode(body: string | Buffer, type: string | undefined = clicksMessageType) {
  return decodeMessage(type, Buffer.from(body))
}

describe('a message of clicks', () => {
  test('decodes to the clicks it was made from, whatever text they contain', () => {
    fc.assert(
      fc.property(fc.array(anyClick, { minLength: 1, maxLength: 20 }), (clicks) => {
        const body = clicks.map(encodeClick).join('\n')
        expect(body.split('\n')).toHaveLength(clicks.length)
        expect(decode(body)).toEqual({ clicks, undecodable: [] })
      }),
      { numRuns: 200 },
    )
  })

  test('keeps a prop named __proto__', () => {
    const props = JSON.parse('{"__proto__":"x","constructor":1}') as NonNullable<Click['props']>
    const [decoded] = decode(encodeClick({ ...click, props })).clicks
    expect(JSON.stringify(decoded?.props)).toBe('{"__proto__":"x","constructor":1}')
  })

  test('may end with a line break', () => {
    expect(decode(`${encodeClick(click)}\n`)).toEqual({ clicks: [click], undecodable: [] })
  })

  test('keeps a field that a later version adds, so that a rolling update loses nothing', () => {
    const newer = { ...click, colour: 'red' }
    expect(decode(JSON.stringify(newer))).toEqual({ clicks: [newer], undecodable: [] })
  })

  test.each(['clicks.v3', 'CLICKS.V1', '', undefined])(
    'of the unknown version %j is undecodable as a whole',
    (type) => {
      const content = Buffer.from(encodeClick(click))
      expect(decodeMessage(type, content)).toEqual({
        clicks: [],
        undecodable: [{ content, reason: 'unknown_version', detail: expect.stringContaining('clicks.v1') }],
      })
    },
  )

  test.each(['', '\n', '\n\n\n'])('without content (%j) is undecodable, not ignored', (body) => {
    expect(decode(body)).toEqual({
      clicks: [],
      undecodable: [{ content: Buffer.from(body), reason: 'undecodable', detail: 'The message is empty.' }],
    })
  })

  test('with a bad line still gives the clicks of the other lines', () => {
    const other = { ...click, target: 'other' }
    const bad = JSON.stringify({ ...click, id: 'nonsense' })
    const { clicks, undecodable } = decode(`${encodeClick(click)}\n${bad}\n${encodeClick(other)}`)
    expect(clicks).toEqual([click, other])
    expect(undecodable.map(({ content, reason }) => [content.toString(), reason])).toEqual([[bad, 'undecodable']])
  })

  test('keeps the bytes of a line that is not UTF-8', () => {
    const line = Buffer.from([0xff, 0x00, 0x7b, 0xc3])
    const body = Buffer.concat([Buffer.from(`${encodeClick(click)}\n`), line, Buffer.from('\n')])
    const { clicks, undecodable } = decodeMessage(clicksMessageType, body)
    expect(clicks).toEqual([click])
    expect(undecodable.map(({ content }) => [...content])).toEqual([[...line]])
  })

  test.each([
    ['is not JSON', '{"id":'],
    ['is JSON but no object', '[1]'],
    ['is null', 'null'],
    ['has an id of version 4', JSON.stringify({ ...click, id: '0f8fad5b-d9cb-469f-a165-70867728950e' })],
    ['has an id in upper case', JSON.stringify({ ...click, id: click.id.toUpperCase() })],
    ['has no target', JSON.stringify({ ...click, target: undefined })],
    ['has an empty target, which stands for all of them', JSON.stringify({ ...click, target: '' })],
    ['has a project that does not fit the column', JSON.stringify({ ...click, projectId: 2 ** 31 })],
    ['has a time that is no number', JSON.stringify({ ...click, occurredAtMs: '2026' })],
    ['has a time that is not finite', encodeClick(click).replace('1763700000000', '1e999')],
    ['has a time after the year 9999', encodeClick(click).replace('1763700000000', '253402300800000')],
    ['has a target that no index can hold', JSON.stringify({ ...click, target: 'x'.repeat(257) })],
    ['has a visitor of 129 characters', JSON.stringify({ ...click, visitorId: 'v'.repeat(129) })],
    ['has a url of 2,049 characters', JSON.stringify({ ...click, url: 'u'.repeat(2_049) })],
    ['has a referrer of 2,049 characters', JSON.stringify({ ...click, referrer: 'r'.repeat(2_049) })],
    ['has a request id of 65 characters', JSON.stringify({ ...click, requestId: 'r'.repeat(65) })],
    [
      'has 31 props',
      JSON.stringify({ ...click, props: Object.fromEntries(Array.from({ length: 31 }, (_, n) => [n, n])) }),
    ],
    ['has a prop of 1,025 characters', JSON.stringify({ ...click, props: { a: 'x'.repeat(1_025) } })],
    ['has a prop with a name of 129 characters', JSON.stringify({ ...click, props: { ['k'.repeat(129)]: 1 } })],
    ['is longer than any click can be', JSON.stringify({ ...click, later: 'x'.repeat(35_000) })],
    ['has a nested prop', JSON.stringify({ ...click, props: { deep: {} } })],
  ])('has an undecodable line where it %s', (_name, line) => {
    const { clicks, undecodable } = decode(line)
    expect(clicks).toEqual([])
    expect(undecodable).toEqual([{ content: Buffer.from(line), reason: 'undecodable', detail: expect.any(String) }])
    expect(undecodable[0]?.detail).not.toBe('')
    // Nor is it a click for the processor's reader, which reads most lines without decoding them.
    expect(new ClickLine().read(Buffer.from(line), 0, Buffer.byteLength(line))).toBe(false)
  })

  test('may contain a click of the largest size that ingest accepts', () => {
    // 32 KiB as it is sent, and more as ingest writes it: numbers without their exponents.
    const props = Object.fromEntries(Array.from({ length: 29 }, (_, key) => [`k${key}`, 1e20]))
    const sent = (text: string) =>
      `{"target":"${'\u{1f600}'.repeat(256)}","url":"${'本'.repeat(2_048)}","referrer":"${'本'.repeat(2_048)}","visitorId":"v","bot":true,"props":${JSON.stringify({ ...props, text }).replaceAll('100000000000000000000', '1e20')}}`
    const body = sent('本'.repeat(1_024))
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(clickLimits.eventBytes)
    const { id, projectId, occurredAtMs, receivedAtMs } = click
    const stamp = { id, projectId, occurredAtMs, receivedAtMs, requestId: 'r'.repeat(64) }
    const full = { ...(JSON.parse(body) as object), ...stamp } as unknown as Click
    expect(decode(encodeClick(full))).toEqual({ clicks: [full], undecodable: [] })
  })

  test('may be any bytes: decoding never throws, and loses no line', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const { clicks, undecodable } = decode(Buffer.from(bytes))
        expect(clicks.length + undecodable.length).toBeGreaterThan(0)
      }),
    )
  })
})

describe('short lines', () => {
  const requests = fc.array(
    fc.record({
      request: fc.record({
        projectId: fc.integer({ min: 1, max: 2_147_483_647 }),
        receivedAtMs: time,
        requestId: text,
      }),
      clicks: fc.array(fc.tuple(anyClick, fc.boolean()), { minLength: 1, maxLength: 5 }),
    }),
    { minLength: 1, maxLength: 5 },
  )

  test('decode to the same clicks as complete lines in a message of the earlier type, whatever they contain', () => {
    fc.assert(
      fc.property(requests, (sent) => {
        const byRequest = sent.map(({ request, clicks }) =>
          clicks.map(([any, isTimeInId]) => {
            const occurredAtMs = isTimeInId ? timeOfUuidV7(any.id) : any.occurredAtMs
            return { ...any, ...request, occurredAtMs: Math.min(occurredAtMs, 253_402_300_799_999) }
          }),
        )
        const short = byRequest.flatMap(([first, ...others]) => [
          encodeClick(first as Click),
          ...others.map(encodeShort),
        ])
        const complete = byRequest.flat().map(encodeClick)
        const decoded = decode(short.join('\n'))
        expect(decoded).toEqual(decode(complete.join('\n'), 'clicks.v1'))
        expect(decoded).toEqual({ clicks: byRequest.flat(), undecodable: [] })
        expect(decoded.clicks.map(encodeClick)).toEqual(complete)
      }),
      { numRuns: 200 },
    )
  })

  test('have none of the fields of their request, nor a time that is in the id', () => {
    expect(encodeShort(last)).toBe(`{"id":"${last.id}","target":"last","occurredAtMs":1763700000000,"bot":true}`)
    const atItsId = { ...last, occurredAtMs: timeOfUuidV7(last.id) }
    expect(encodeShort(atItsId)).toBe(`{"id":"${last.id}","target":"last","bot":true}`)
    expect(decode(`${encodeClick(click)}\n${encodeShort(atItsId)}`)).toEqual({
      clicks: [click, atItsId],
      undecodable: [],
    })
  })

  test('take the fields of the nearest request before them', () => {
    const other = { ...later, projectId: 2, receivedAtMs: 7, requestId: 'request-2' }
    const ofOther = { ...last, projectId: 2, receivedAtMs: 7, requestId: 'request-2' }
    const lines = [encodeClick(click), encodeShort(last), encodeClick(other), encodeShort(ofOther)]
    expect(decode(lines.join('\n'))).toEqual({ clicks: [click, last, other, ofOther], undecodable: [] })
  })

  test('that are not clicks affect no other line, and are kept complete, so that they can be replayed alone', () => {
    const bad = encodeShort(later).replace('"later"', '7')
    const { clicks, undecodable } = decode([encodeClick(click), bad, encodeShort(last)].join('\n'))
    expect(clicks).toEqual([click, last])
    expect(undecodable).toEqual([
      {
        content: Buffer.from(JSON.stringify({ ...later, target: 7 })),
        reason: 'undecodable',
        detail: '/target must be string',
      },
    ])
    const mended = String(undecodable[0]?.content).replace('"target":7', '"target":"later"')
    expect(decode(mended)).toEqual({ clicks: [later], undecodable: [] })
  })

  test('are read after a line that is no click, if that has the fields of their request', () => {
    const first = JSON.stringify({ ...click, target: 7 })
    const { clicks, undecodable } = decode([first, encodeShort(later)].join('\n'))
    expect(clicks).toEqual([later])
    expect(undecodable.map(({ content }) => content.toString())).toEqual([first])
  })

  test.each([
    ['that cannot be read', '{"id":"cut off'],
    ['without a valid project', JSON.stringify({ ...click, projectId: 0 })],
    ['with a part of the fields', JSON.stringify({ ...click, requestId: undefined })],
    ['that is too long', encodeClick({ ...click, url: 'u'.repeat(35_000) })],
  ])('are undecodable after a line %s: it may be of another request', (_name, line) => {
    const lines = [
      encodeClick(click),
      line,
      encodeShort(later),
      encodeShort(last),
      encodeClick(last),
      encodeShort(later),
    ]
    const { clicks, undecodable } = decode(lines.join('\n'))
    expect(clicks).toEqual([click, last, later])
    expect(undecodable.map(({ content }) => content.toString())).toEqual([line, encodeShort(later), encodeShort(last)])
  })

  test.each(['clicks.v1', 'clicks.v2'])('are undecodable at the beginning of a message of type %s', (type) => {
    const { clicks, undecodable } = decode(encodeShort(later), type)
    expect(clicks).toEqual([])
    expect(undecodable.map(({ content }) => content.toString())).toEqual([encodeShort(later)])
  })

  test('are undecodable in a message of the earlier type', () => {
    const { clicks, undecodable } = decode(`${encodeClick(click)}\n${encodeShort(later)}`, 'clicks.v1')
    expect(clicks).toEqual([click])
    expect(undecodable.map(({ content }) => content.toString())).toEqual([encodeShort(later)])
  })
})
