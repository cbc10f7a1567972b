import { clicksMessageType, decodeMessage, encodeClick } from '@clicktally/message/clicks-message.ts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkClick, type Receipt } from '../click-check.ts'
import { rejectionCodes } from '../click-rejection.ts'
import { randomUuidV7, timeOfUuidV7 } from '../uuid-v7.ts'

const now = Date.UTC(2026, 10, 21, 12)
const hour = 3_600_000
const minute = 60_000
const madeId = '019aa3f0-5c00-7abc-8def-0123456789ab'
const receipt: Receipt = {
  projectId: 7,
  requestId: 'request-1',
  receivedAtMs: now,
  startedAtMs: now,
  windowMs: 72 * hour,
  makeId: () => madeId,
}

/** Checks what a client would have sent: only JSON can spell some of it. */
function check(event: string | object) {
  return checkClick(typeof event === 'string' ? JSON.parse(event) : event, receipt)
}

const at = (timeMs: number) => new Date(timeMs).toISOString()

describe('a valid event', () => {
  test('becomes a click with the data of its request', () => {
    expect(check({ target: 'button' })).toEqual({
      click: {
        id: madeId,
        projectId: 7,
        target: 'button',
        occurredAtMs: now,
        receivedAtMs: now,
        requestId: 'request-1',
      },
    })
  })

  test('keeps all its fields', () => {
    const id = randomUuidV7(now - hour)
    const fields = { visitorId: 'v', url: 'https://example.org/', referrer: '', bot: true, props: { a: 1.5, b: null } }
    expect(check({ ...fields, id, target: 'button', occurredAt: at(now - minute) })).toEqual({
      click: {
        ...fields,
        id,
        projectId: 7,
        target: 'button',
        occurredAtMs: now - minute,
        receivedAtMs: now,
        requestId: 'request-1',
      },
    })
  })

  test('has a derived visitor if it names none and is no bot; otherwise nothing is derived', () => {
    let derivations = 0
    const deriveVisitor = () => `derived:${++derivations}`
    const visitorOf = (event: object, more: Pick<Receipt, 'deriveVisitor'> = { deriveVisitor }) => {
      const checked = checkClick({ target: 't', url: '/', ...event }, { ...receipt, ...more })
      if ('code' in checked) throw new Error(checked.code)
      // The order that fast readers of messages rely on.
      const names = Object.keys(checked.click)
      expect(names.slice(6)).toEqual(['bot', 'visitorId', 'url'].filter((name) => names.includes(name)))
      return checked.click.visitorId
    }
    expect(visitorOf({ visitorId: 'ann' })).toBe('ann')
    expect(visitorOf({ bot: true })).toBeUndefined()
    expect(derivations).toBe(0)
    expect(visitorOf({})).toBe('derived:1')
    expect(visitorOf({}, {})).toBeUndefined()
    expect(visitorOf({}, { deriveVisitor: () => undefined })).toBeUndefined()
  })

  test('of a server may name the country; other senders may not', () => {
    const event = { target: 't', country: 'DE' }
    expect(checkClick(event, { ...receipt, isServer: true })).toMatchObject({ click: { country: 'DE' } })
    expect(check(event)).toMatchObject({ code: 'secret_key_required', field: 'country' })
    for (const country of ['de', 'DEU', 'D', '', 'D1']) {
      const checked = checkClick({ target: 't', country }, { ...receipt, isServer: true })
      expect(checked, country).toMatchObject({ code: 'invalid_field', field: 'country' })
    }
  })

  test('cannot contain what ingest derives', () => {
    const checked = checkClick({ target: 't', agent: 'aaa' }, { ...receipt, isServer: true })
    expect(checked).toMatchObject({ code: 'unknown_field', field: 'agent' })
  })

  test('of a person has no field "bot"', () => {
    expect(check({ target: 'button', bot: false })).toEqual(check({ target: 'button' }))
  })

  test('happened at the time in its id, unless it has occurredAt', () => {
    const id = randomUuidV7(now - hour)
    expect(check({ target: 'button', id })).toMatchObject({ click: { id, occurredAtMs: now - hour } })
    expect(check({ target: 'button', id, occurredAt: at(now) })).toMatchObject({ click: { id, occurredAtMs: now } })
  })

  test('without any time happened at the start of its request, but never after now', () => {
    const started = (startedAtMs: number) => checkClick({ target: 'button' }, { ...receipt, startedAtMs })
    expect(started(now - 5 * minute)).toEqual({ click: expect.objectContaining({ occurredAtMs: now - 5 * minute }) })
    expect(started(now + 5 * hour)).toEqual({ click: expect.objectContaining({ occurredAtMs: now }) })
  })

  test('may have an id in upper case, which means the same click as in lower case', () => {
    const id = randomUuidV7(now)
    expect(check({ target: 'button', id: id.toUpperCase() })).toEqual(check({ target: 'button', id }))
  })

  test.each([
    ['256 letters', 'x'.repeat(256)],
    ['256 characters that are two UTF-16 units each', '😀'.repeat(256)],
    ['one character', 'x'],
    ['spaces', '  '],
    ['quotes, backslashes and line breaks', '"\\\n\r\u2028'],
  ])('may have as its target %s', (_name, target) => {
    expect(check({ target })).toMatchObject({ click: { target } })
  })

  test('may have 30 props and texts of the greatest length', () => {
    const props = Object.fromEntries(Array.from({ length: 30 }, (_, key) => [`k${key}`.padEnd(128), 'x'.repeat(1024)]))
    const event = { target: 't', props, visitorId: 'v'.repeat(128), url: 'u'.repeat(2048), referrer: 'r'.repeat(2048) }
    expect(check(event)).toMatchObject({ click: event })
  })

  test('may have a prop named __proto__, which changes no prototype', () => {
    const result = check('{"target":"t","props":{"__proto__":"x","constructor":"y"}}')
    expect('click' in result && encodeClick(result.click)).toContain('"props":{"__proto__":"x","constructor":"y"}')
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })
})

describe('the times of an event', () => {
  test.each([
    ['exactly as old as the window', now - 72 * hour],
    ['exactly 5 minutes ahead', now + 5 * minute],
  ])('occurredAt is taken as it is when %s', (_name, timeMs) => {
    expect(check({ target: 't', occurredAt: at(timeMs) })).toEqual({
      click: expect.objectContaining({ occurredAtMs: timeMs }),
    })
  })

  test.each([
    ['a millisecond more than 5 minutes ahead', at(now + 5 * minute + 1)],
    ['in 2099', '2099-01-01T00:00:00Z'],
  ])('occurredAt is clamped to now, with a warning, when %s', (_name, occurredAt) => {
    expect(check({ target: 't', occurredAt })).toEqual({
      click: expect.objectContaining({ occurredAtMs: now }),
      warning: 'occurred_at_clamped',
    })
  })

  test.each([
    ['a millisecond older than the window', at(now - 72 * hour - 1)],
    ['in 2015', '2015-06-01T00:00:00Z'],
  ])('occurredAt is refused when %s', (_name, occurredAt) => {
    expect(check({ target: 't', occurredAt })).toMatchObject({ code: 'too_old', field: 'occurredAt' })
  })

  test.each(['2015-02-30T00:00:00Z', '2026-11-21T12:00:00', 'yesterday', ''])(
    'occurredAt is refused when it is no RFC 3339 time: %j',
    (occurredAt) => {
      expect(check({ target: 't', occurredAt })).toMatchObject({ code: 'occurred_at_invalid', field: 'occurredAt' })
    },
  )

  test('an id is accepted if its time is exactly as old as the window, or exactly 24 hours ahead', () => {
    expect(check({ target: 't', id: randomUuidV7(now - 72 * hour) })).toMatchObject({
      click: { occurredAtMs: now - 72 * hour },
    })
    expect(check({ target: 't', id: randomUuidV7(now + 24 * hour) })).toMatchObject({
      click: { occurredAtMs: now },
      warning: 'occurred_at_clamped',
    })
  })

  test('an id is rejected if its time is a millisecond outside', () => {
    expect(check({ target: 't', id: randomUuidV7(now - 72 * hour - 1) })).toMatchObject({
      code: 'id_too_old',
      field: 'id',
    })
    expect(check({ target: 't', id: randomUuidV7(now + 24 * hour + 1) })).toMatchObject({
      code: 'id_in_future',
      field: 'id',
    })
  })
})

describe('the times of a backfilled event', () => {
  const oldest = Date.UTC(2000, 0, 1)
  const idFor = (timeMs: number) => randomUuidV7(timeMs)
  const backfill = (event: object) => checkClick(event, { ...receipt, windowMs: undefined, makeId: idFor })

  test.each([
    ['in 2015', Date.UTC(2015, 4, 17)],
    ['exactly as old as is taken', oldest],
    ['just now', now],
  ])('are taken as they are when %s, and are the time of the id that is made', (_name, timeMs) => {
    const result = backfill({ target: 't', occurredAt: at(timeMs) })
    expect(result).toMatchObject({ click: { occurredAtMs: timeMs } })
    expect('click' in result && timeOfUuidV7(result.click.id)).toBe(timeMs)
    expect(backfill({ target: 't', id: idFor(timeMs) })).toMatchObject({ click: { occurredAtMs: timeMs } })
  })

  test('are rejected if a millisecond too old, naming the field', () => {
    expect(backfill({ target: 't', occurredAt: at(oldest - 1) })).toMatchObject({
      code: 'too_old_for_backfill',
      field: 'occurredAt',
    })
    expect(backfill({ target: 't', id: idFor(oldest - 1) })).toMatchObject({
      code: 'too_old_for_backfill',
      field: 'id',
    })
  })

  test('must be given by occurredAt or by an id', () => {
    expect(backfill({ target: 't' })).toMatchObject({ code: 'missing_field', field: 'occurredAt' })
  })

  test('are clamped or rejected if in the future, as for other events', () => {
    expect(backfill({ target: 't', occurredAt: at(now + 6 * minute) })).toMatchObject({
      click: { occurredAtMs: now },
      warning: 'occurred_at_clamped',
    })
    expect(backfill({ target: 't', id: idFor(now + 25 * hour) })).toMatchObject({ code: 'id_in_future', field: 'id' })
  })
})

describe('an invalid event is rejected with the code of the rule:', () => {
  const thirtyOne = Object.fromEntries(Array.from({ length: 31 }, (_, key) => [`k${key}`, key]))
  test.each<[string, unknown, string, string | undefined]>([
    ['null', null, 'not_an_object', undefined],
    ['an array', [{ target: 't' }], 'not_an_object', undefined],
    ['a text', '"t"', 'not_an_object', undefined],
    ['no target', {}, 'missing_field', 'target'],
    ['an unknown field', { target: 't', colour: 'red' }, 'unknown_field', 'colour'],
    ['a field in another case', { Target: 't', target: 't' }, 'unknown_field', 'Target'],
    ['__proto__ as a field', '{"target":"t","__proto__":{"admin":true}}', 'unknown_field', '__proto__'],
    ['__proto__ as the field that brings the target', '{"__proto__":{"target":"t"}}', 'unknown_field', '__proto__'],
    ['constructor as a field', '{"target":"t","constructor":{}}', 'unknown_field', 'constructor'],
    ['an empty target', { target: '' }, 'invalid_field', 'target'],
    ['a target of 257 characters', { target: 'x'.repeat(257) }, 'invalid_field', 'target'],
    ['a target that is a number', { target: 1 }, 'invalid_field', 'target'],
    ['a target that is null', { target: null }, 'invalid_field', 'target'],
    ['an id that is too short', { target: 't', id: 'abc' }, 'id_not_v7', 'id'],
    ['a visitor of the server', { target: 't', visitorId: 'derived:' }, 'visitor_id_reserved', 'visitorId'],
    ['an id of version 4', { target: 't', id: '0f8fad5b-d9cb-469f-a165-70867728950e' }, 'id_not_v7', 'id'],
    ['an id that is 36 other characters', { target: 't', id: '😀'.repeat(36) }, 'id_not_v7', 'id'],
    ['an occurredAt that is a number', { target: 't', occurredAt: now }, 'invalid_field', 'occurredAt'],
    ['a visitorId that is empty', { target: 't', visitorId: '' }, 'invalid_field', 'visitorId'],
    ['a visitorId of 129 characters', { target: 't', visitorId: 'v'.repeat(129) }, 'invalid_field', 'visitorId'],
    ['a url of 2049 characters', { target: 't', url: 'u'.repeat(2049) }, 'invalid_field', 'url'],
    ['a referrer of 2049 characters', { target: 't', referrer: 'r'.repeat(2049) }, 'invalid_field', 'referrer'],
    ['a bot that is a text', { target: 't', bot: 'true' }, 'invalid_field', 'bot'],
    ['props that are an array', { target: 't', props: ['a'] }, 'invalid_field', 'props'],
    ['props that are null', { target: 't', props: null }, 'invalid_field', 'props'],
    ['31 props', { target: 't', props: thirtyOne }, 'invalid_field', 'props'],
    ['a prop that is an object', { target: 't', props: { deep: {} } }, 'invalid_field', 'props.deep'],
    ['a prop that is an array', { target: 't', props: { list: [] } }, 'invalid_field', 'props.list'],
    ['a prop of 1025 characters', { target: 't', props: { long: 'x'.repeat(1025) } }, 'invalid_field', 'props.long'],
    ['a prop that is not finite', '{"target":"t","props":{"big":1e999}}', 'invalid_field', 'props.big'],
    ['a prop without a name', { target: 't', props: { '': 1 } }, 'invalid_field', 'props.'],
    [
      'a prop with / and ~ in its name and an object inside',
      { target: 't', props: { 'a/b~c': {} } },
      'invalid_field',
      'props.a/b~c',
    ],
    [
      'a prop with a name of 129 characters',
      { target: 't', props: { ['k'.repeat(129)]: 1 } },
      'invalid_field',
      `props.${'k'.repeat(64)}`,
    ],
    [
      '__proto__ as a prop that is an object',
      '{"target":"t","props":{"__proto__":{"admin":true}}}',
      'invalid_field',
      'props.__proto__',
    ],
    [
      'a prop with a line break in its name and an object inside',
      '{"target":"t","props":{"a\\nb":{"c":1}}}',
      'invalid_field',
      'props.a\nb',
    ],
  ])('%s', (_name, event, code, field) => {
    const result = check(event as object)
    expect(result).toMatchObject({ code, ...(field !== undefined && { field }), detail: expect.any(String) })
    expect('field' in result).toBe(field !== undefined)
    expect(Object.keys(rejectionCodes)).toContain(code)
  })

  const texts = ['target', 'occurredAt', 'visitorId', 'url', 'referrer']
  test.each(texts)('U+0000 in %s', (field) => {
    expect(check({ target: 't', [field]: 'a\0b' })).toMatchObject({ code: 'nul_character', field })
  })
  test.each(texts)('half of a surrogate pair in %s', (field) => {
    for (const half of ['"a\\ud800"', '"\\udc00a"', '"\\ude00\\ud83d"']) {
      expect(check({ target: 't', [field]: JSON.parse(half) })).toMatchObject({ code: 'lone_surrogate', field })
    }
  })
  test('U+0000 in an id', () => {
    const id = `${randomUuidV7(now).slice(0, 35)}\0`
    expect(check({ target: 't', id })).toMatchObject({ code: 'nul_character', field: 'id' })
  })
  test('U+0000 or half of a surrogate pair in the value of a prop', () => {
    expect(check({ target: 't', props: { a: '\0' } })).toMatchObject({ code: 'nul_character', field: 'props.a' })
    expect(check({ target: 't', props: { a: '\ud83d' } })).toMatchObject({ code: 'lone_surrogate', field: 'props.a' })
  })
  test('U+0000 or half of a surrogate pair in the name of a prop', () => {
    expect(check({ target: 't', props: { 'a\0': 1 } })).toMatchObject({ code: 'nul_character', field: 'props.a\0' })
    expect(check({ target: 't', props: { 'a\ud83d': 1 } })).toMatchObject({
      code: 'lone_surrogate',
      field: 'props.a\ufffd',
    })
  })

  test('the detail says whether the name or the value of a prop is wrong', () => {
    expect(check({ target: 't', props: { ['k'.repeat(129)]: 1 } })).toMatchObject({
      detail: expect.stringContaining('must have a name of 1 to 128 characters'),
    })
    expect(check({ target: 't', props: { deep: {} } })).toMatchObject({
      detail: '"props.deep" must be a string of at most 1024 characters, a finite number, a boolean or null.',
    })
  })

  test('a name chosen by the client is returned short and well-formed', () => {
    const result = check({ target: 't', [`\ud83d${'x'.repeat(10_000)}`]: 1 })
    expect(result).toMatchObject({ code: 'unknown_field', field: `\ufffd${'x'.repeat(63)}` })
    expect('detail' in result && result.detail.length).toBeLessThan(200)
  })
})

describe('any JSON value', () => {
  const field = fc.constantFrom(
    'id',
    'target',
    'occurredAt',
    'visitorId',
    'url',
    'referrer',
    'props',
    'bot',
    '__proto__',
  )
  const likeAnEvent = fc.array(fc.tuple(field, fc.jsonValue())).map((entries) => {
    const body = entries.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
    return JSON.parse(`{"target":"t"${body.map((part) => `,${part}`).join('')}}`) as unknown
  })

  test('is either rejected with a code or becomes a click that the processor can read', () => {
    let taken = 0
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), likeAnEvent), (event) => {
        const result = checkClick(event, receipt)
        if ('code' in result) {
          expect(Object.keys(rejectionCodes)).toContain(result.code)
          expect(JSON.stringify(result).isWellFormed()).toBe(true)
          return
        }
        taken += 1
        const decoded = decodeMessage(clicksMessageType, Buffer.from(encodeClick(result.click)))
        expect(decoded.undecodable).toEqual([])
        expect(encodeClick(decoded.clicks[0] as never)).toBe(encodeClick(result.click))
      }),
      { numRuns: 2_000 },
    )
    expect(taken).toBeGreaterThan(0)
  })
})
