import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TextDictionary } from '../text-dictionary.ts'

/** Looks the text up among other bytes. */
function numberOf(dictionary: TextDictionary, text: string): number {
  const bytes = Buffer.from(`before ${text} behind`)
  return dictionary.numberOf(bytes, 7, 7 + Buffer.byteLength(text))
}

test('equal texts have one number, different ones have different numbers, in the order in which they come', () => {
  const texts = fc.array(fc.string({ unit: 'binary', maxLength: 12 }), { maxLength: 400 })
  fc.assert(
    fc.property(texts, (texts) => {
      const dictionary = new TextDictionary()
      const known: string[] = []
      for (const text of [...texts, ...texts]) {
        if (!known.includes(text)) known.push(text)
        expect(numberOf(dictionary, text)).toBe(known.indexOf(text) + 1)
      }
      expect(dictionary.size).toBe(known.length + 1)
      expect(known.map((_, index) => dictionary.textOf(index + 1))).toEqual(known)
    }),
  )
})

test('a hundred thousand texts are told apart, many of which find no slot near their hash', () => {
  const dictionary = new TextDictionary()
  const texts = Array.from({ length: 100_000 }, (_, index) => `https://shop.example/${index}`)
  expect(texts.every((text, index) => numberOf(dictionary, text) === index + 1)).toBe(true)
  expect(texts.every((text, index) => numberOf(dictionary, text) === index + 1)).toBe(true)
  expect(dictionary.textOf(77_777)).toBe('https://shop.example/77776')
})
