import { clickLimits } from '@clicktally/event/click-event.ts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { batchElements, isParsableBatch, isParsableEvent } from '../request/request-structure.ts'

/** The elements, and whether the text around them has the form of a batch. */
function cut(text: string) {
  const elements: { text: string; isParsable: boolean }[] = []
  const scan = batchElements(text)
  for (let next = scan.next(); ; next = scan.next()) {
    if (next.done) return { elements, isBatch: next.value }
    elements.push(next.value)
  }
}

const space = fc.string({ unit: fc.constantFrom(' ', '\n', '\r', '\t'), maxLength: 3 })

describe('a batch that is split without being parsed', () => {
  test('has the elements that JSON.parse finds', () => {
    // Strings full of structural characters.
    const text = fc.string({ unit: fc.constantFrom(...'[]{},:"\\ aé👋\n'), maxLength: 12 })
    const value = fc.jsonValue({ stringUnit: 'grapheme' })
    const elements = fc.array(fc.oneof(value, text, fc.dictionary(text, text)), { maxLength: 8 })
    fc.assert(
      fc.property(elements, fc.array(space, { minLength: 6, maxLength: 6 }), (values, [a, b, c, d, e, f]) => {
        const items = values.map((each) => `${d}${JSON.stringify(each, null, 1)}${e}`).join(',')
        const body = `${a}{${b}"events"${c}:${d}[${items}]${e}}${f}`
        const found = cut(body)
        expect(found.isBatch).toBe(true)
        expect(found.elements.map((element) => JSON.parse(element.text))).toEqual(JSON.parse(body).events)
      }),
      { numRuns: 1_000 },
    )
  })

  test('may have escapes in the name of its field', () => {
    expect(cut('{"\\u0065vents":[1]}')).toEqual({ elements: [{ text: '1', isParsable: true }], isBatch: true })
  })

  test.each([
    '',
    '[',
    '[]',
    '{',
    '{}',
    '{"events"',
    '{"events":[',
    '{"events":[]',
    '{"events":[1}',
    '{"events":[{]',
    '{"events":["',
    '{"events":["\\',
    '{"events":[]}}',
    '{"events":[],"more":1}',
    '{"event":[]}',
    '{"events":{}}',
  ])('is not recognized in %j', (text) => {
    expect(cut(text).isBatch).toBe(false)
  })
})

describe('an event', () => {
  const full = {
    ...{ id: '019aa3f0-5c00-7abc-8def-0123456789ab', target: 't', occurredAt: '2026-11-21T10:15:30.250Z', bot: true },
    ...{ visitorId: 'v', url: 'u', referrer: 'r' },
    props: Object.fromEntries(Array.from({ length: clickLimits.propKeys }, (_, key) => [`k${key}`, key])),
  }

  test('with all fields and the maximum of props is parsed', () => {
    expect(isParsableEvent(JSON.stringify(full))).toBe(true)
    expect(isParsableBatch(JSON.stringify({ events: Array.from({ length: 500 }, () => full) }))).toBe(true)
  })

  test('is parsed when its strings are full of brackets, commas and quotes', () => {
    const url = '[{,"\\'.repeat(300)
    const event = JSON.stringify({ ...full, url })
    expect(isParsableEvent(event)).toBe(true)
    const batch = JSON.stringify({ events: [{ ...full, url }, { target: 'neighbour' }] })
    expect(cut(batch).elements.map(({ isParsable }) => isParsable)).toEqual([true, true])
  })

  test.each([
    ['nested a hundred times', '['.repeat(100)],
    ['with a hundred fields', JSON.stringify(Object.fromEntries(Array.from({ length: 100 }, (_, key) => [key, key])))],
  ])('%s is not parsed', (_name, text) => {
    expect(isParsableEvent(text)).toBe(false)
  })
})
