import fc from 'fast-check'
import { expect, test } from 'vitest'
import { dimensions } from '../dimensions.ts'

const host = fc.constantFrom('shop.example', 'www.shop.example', 'www.google.com', 'news.example.org', 't.co', 'x y')
const query = fc.constantFrom(
  '',
  '?utm_source=google',
  '?utm_source=news.example.org&utm_medium=email',
  '?utm_medium=CPC',
  '?utm_medium=other&utm_source=%00other',
  '?gclid=1',
  '?q=1',
)
const url = fc.oneof(
  fc
    .tuple(host, fc.constantFrom('/', '/a', '/b/c'), query)
    .map(([host, path, query]) => `https://${host}${path}${query}`),
  fc.constantFrom('', 'no url', '/relative', '/relative?utm_medium=email', 'android-app://com.google.android.gm/'),
)
const pairs = fc.array(fc.tuple(url, url), { minLength: 2, maxLength: 60 })

test('clicks with equal keys of both columns have an equal value', () => {
  const withKeys = dimensions.filter(({ keysOf }) => keysOf !== undefined)
  expect(withKeys.map(({ name }) => name)).toEqual(['channel'])
  fc.assert(
    fc.property(pairs, (pairs) => {
      for (const { sources, keysOf, valueOf: read } of withKeys) {
        const valueOfKeys = new Map<string, string | undefined>()
        for (const [first, second] of pairs) {
          const keys = JSON.stringify([keysOf?.[0](first), keysOf?.[1](second)])
          const value = read({ target: '', [sources[0]]: first, [sources[1] as string]: second })
          if (valueOfKeys.has(keys)) expect([keys, valueOfKeys.get(keys)]).toEqual([keys, value])
          valueOfKeys.set(keys, value)
        }
      }
    }),
    { numRuns: 300 },
  )
})
