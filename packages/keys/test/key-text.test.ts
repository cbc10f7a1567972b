import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hashKey, makeKey, maxKeyChars, parseKey } from '../key-text.ts'
import { keyRoles } from '../roles.ts'

describe('a key', () => {
  test.each(keyRoles)('of the role %s contains its role and id, and is unique', (role) => {
    const first = makeKey(role)
    const second = makeKey(role)
    expect(parseKey(first.text)).toEqual({ id: first.id, role })
    expect(first.text).toHaveLength(maxKeyChars)
    expect(first.text).toMatch(/^ct_[wsrao]_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/)
    expect(first.hash).toBe(hashKey(first.text))
    expect(new Set([first.text, second.text, first.id, second.id, first.hash, second.hash]).size).toBe(6)
  })

  test('with one changed character is recognized as malformed', () => {
    const { text } = makeKey('read')
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom(...'aZ09_x'), (place, char) => {
        fc.pre(text[place] !== char)
        expect(parseKey(text.slice(0, place) + char + text.slice(place + 1))).toBeUndefined()
      }),
    )
  })

  test('uses every character of its alphabet', () => {
    const seen = new Set(Array.from({ length: 200 }, () => makeKey('write').text.slice(5)).join(''))
    seen.delete('_')
    expect(seen.size).toBe(62)
  })

  test('is never parsed from arbitrary text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), (text) => {
        expect(parseKey(text)).toBeUndefined()
      }),
    )
  })
})
