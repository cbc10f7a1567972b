import { readValueFilters } from '@clicktally/api/request/value-filters.ts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Condition, readCondition, writeCondition } from '../src/filters/condition.ts'

/** What separates and escapes values comes often. */
const value = fc.oneof(
  fc.string({ unit: fc.constantFrom(',', '\\', ':', ' ', 'a', '\n') }),
  fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
)
const condition: fc.Arbitrary<Condition> = fc.record({
  dimension: fc.constantFrom('country', 'target', 'props.a:is:b'),
  isNot: fc.boolean(),
  values: fc.uniqueArray(value, { minLength: 1, maxLength: 5 }),
})

test('a condition in the address is the same to the page and to the API, whatever its values contain', () => {
  fc.assert(
    fc.property(condition, (written) => {
      const text = writeCondition(written)
      const { dimension, isNot, values } = readCondition(text) as Condition
      const filter = { projectId: 1, targets: undefined, fromMs: undefined, toMs: undefined }
      const [read] = readValueFilters([text], filter, ['a:is:b', 'a'])
      expect({ dimension, isNot, values }).toEqual({
        dimension: read?.dimension.name,
        isNot: read?.isNot,
        values: read?.values,
      })
      if (!written.dimension.includes(':')) expect({ dimension, isNot, values }).toEqual(written)
    }),
  )
})

test('text that is no condition is none', () => {
  for (const text of ['', 'country', 'country:DE', ':is:DE', 'country:has:DE']) {
    expect(readCondition(text)).toBeUndefined()
  }
})
