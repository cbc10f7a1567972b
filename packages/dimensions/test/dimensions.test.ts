import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { browsers, decodeAgent, devices, encodeAgent, operatingSystems } from '../agent-codes.ts'
import { channelHosts } from '../channel-hosts.ts'
import { channels } from '../channels.ts'
import { type DimensionRow, dimensionNamed, dimensions, propDimension } from '../dimensions.ts'
import { RecentCache } from '../recent-cache.ts'
import { maxValueChars } from '../url-parts.ts'

function read(name: string, row: Partial<DimensionRow>): string | undefined {
  const dimension = dimensionNamed(name)
  if (dimension === undefined) throw new Error(`there is no dimension ${name}`)
  return dimension.valueOf({ target: 't', ...row })
}

describe('a dimension', () => {
  test('has no value if the click does not have the attribute', () => {
    for (const { name } of [...dimensions, propDimension('plan')]) {
      expect(read(name, {}), name).toBeUndefined()
      const empty = { url: '', referrer: null, country: '', agent: null, props: null }
      expect(read(name, empty), name).toBeUndefined()
    }
  })

  test('is found by its name', () => {
    for (const dimension of dimensions) expect(dimensionNamed(dimension.name)).toBe(dimension)
    expect(dimensionNamed('props.a.b')?.name).toBe('props.a.b')
    expect(['props.', 'props', 'Country', '__proto__', ''].map(dimensionNamed)).toEqual(Array(5).fill(undefined))
  })

  test.each<[string, Partial<DimensionRow>, string | undefined]>([
    ['country', { country: 'DE' }, 'DE'],
    ['browser', { agent: encodeAgent({ browser: 'Firefox', os: 'Linux', device: 'Desktop' }) }, 'Firefox'],
    ['os', { agent: encodeAgent({ browser: 'Firefox', os: 'Linux', device: 'Desktop' }) }, 'Linux'],
    ['device', { agent: encodeAgent({ browser: 'Safari', os: 'iOS', device: 'Mobile' }) }, 'Mobile'],
    ['browser', { agent: '~~~' }, 'Other'],
    ['device', { agent: 'a' }, 'Other'],
    ['host', { url: 'https://WWW.Example.com:8443/a?b#c' }, 'example.com'],
    ['host', { url: '/a?b' }, undefined],
    ['host', { url: 'https://bücher.example/' }, 'xn--bcher-kva.example'],
    ['path', { url: 'https://example.com/a/b%20c?d=e#f' }, '/a/b c'],
    ['path', { url: '/%E6%97%A5?x' }, '/日'],
    ['path', { url: 'https://example.com' }, '/'],
    ['path', { url: 'https://example.com/%ff' }, '/%ff'],
    ['path', { url: 'mailto:a@example.com' }, undefined],
    ['path', { url: 'https://example.com/a%00b' }, '/ab'],
    ['path', { url: `https://example.com/${'a'.repeat(254)}👋` }, `/${'a'.repeat(254)}`],
    ['referrer', { referrer: 'https://www.news.example/story' }, 'news.example'],
    ['referrer', { referrer: 'android-app://com.google.android.gm/' }, 'com.google.android.gm'],
    ['referrer', { referrer: 'not a url' }, undefined],
    ['utm_source', { url: '/?utm_source=spring+mail&utm_medium=' }, 'spring mail'],
    ['utm_medium', { url: '/?utm_source=spring+mail&utm_medium=' }, undefined],
    ['utm_campaign', { url: '/?utm%5Fcampaign=a%26b' }, 'a&b'],
    ['utm_term', { url: '/?utm_term=a%00' }, 'a'],
    ['utm_content', { url: '/?utm_content=1&utm_content=2' }, '1'],
    ['props.plan', { props: { plan: 'pro' } }, 'pro'],
    ['props.size', { props: { size: 1.5 } }, '1.5'],
    ['props.paid', { props: { paid: false } }, 'false'],
    ['props.none', { props: { none: null } }, undefined],
    ['props.empty', { props: { empty: '' } }, undefined],
    ['props.toString', { props: {} }, undefined],
  ])('%s of %j is %j', (name, row, value) => {
    expect(read(name, row)).toBe(value)
  })

  test('never throws, and its value is short and can be stored, whatever the click contains', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 700 }),
      fc.webUrl({ withQueryParameters: true, withFragments: true }),
      fc
        .tuple(
          fc.constantFrom('http://', 'https://www.', '//', '/', 'android-app://', 'javascript:', 'http:/', 'data:,'),
          fc.string({ unit: fc.constantFrom(...'%00\\@:/?#[]&=utm_source日👋\ud800. '), maxLength: 60 }),
        )
        .map((parts) => parts.join('')),
    )
    const row = fc.record({
      target: hostile,
      url: fc.option(hostile),
      referrer: fc.option(hostile),
      country: fc.option(hostile),
      agent: fc.option(hostile),
      props: fc.option(fc.dictionary(fc.constantFrom('plan', '__proto__'), fc.anything())),
    })
    fc.assert(
      fc.property(row, (click) => {
        for (const dimension of [...dimensions, propDimension('plan'), propDimension('__proto__')]) {
          const value = dimension.valueOf(click)
          if (value === undefined || (value !== '' && value.length <= maxValueChars && !value.includes('\0'))) continue
          throw new Error(`${dimension.name} is ${JSON.stringify(value)}`)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('the channel', () => {
  const page = 'https://shop.example/'
  test.each<[string | undefined, string | undefined, string | undefined]>([
    [page, undefined, 'direct'],
    [page, 'https://www.shop.example/other', 'internal'],
    [page, 'https://www.google.com/', 'search'],
    [page, 'https://google.co.uk/', 'search'],
    [page, 'https://docs.google.com/document', 'referral'],
    [page, 'https://mail.google.com/mail', 'email'],
    [page, 'https://gemini.google.com/app', 'ai'],
    [page, 'android-app://com.google.android.googlequicksearchbox/', 'search'],
    [page, 'https://r.search.yahoo.com/', 'search'],
    [page, 'https://mail.yahoo.com/', 'email'],
    [page, 'https://t.co/abc', 'social'],
    [page, 'https://not-t.co/abc', 'referral'],
    [page, 'https://old.reddit.com/r/a', 'social'],
    [page, 'https://chatgpt.com/', 'ai'],
    [page, 'https://blog.example/', 'referral'],
    [`${page}?utm_source=chatgpt.com`, undefined, 'ai'],
    [`${page}?utm_source=Facebook`, undefined, 'social'],
    [`${page}?utm_source=newsletter`, undefined, 'email'],
    [`${page}?utm_source=google&utm_medium=CPC`, 'https://www.google.com/', 'paid'],
    [`${page}?gclid=x`, 'https://www.google.com/', 'paid'],
    [`${page}?utm_medium=poster`, 'https://www.google.com/', 'campaign'],
    [undefined, 'https://www.google.com/', 'search'],
    ['/only-a-path', undefined, undefined],
  ])('of %j from %j is %j', (url, referrer, channel) => {
    expect(read('channel', { url, referrer })).toBe(channel)
  })

  test('lists each host once, in lower case', () => {
    const hosts = Object.values(channelHosts).flat()
    expect(new Set(hosts).size).toBe(hosts.length)
    expect(hosts.filter((host) => host !== host.toLowerCase() || host.startsWith('www.'))).toEqual([])
    expect(Object.keys(channelHosts).filter((channel) => !(channels as readonly string[]).includes(channel))).toEqual(
      [],
    )
  })
})

describe('the codes of agents', () => {
  test('give each name back', () => {
    for (const browser of Object.values(browsers)) {
      for (const os of Object.values(operatingSystems)) {
        for (const device of Object.values(devices)) {
          const code = encodeAgent({ browser, os, device })
          expect(code).toMatch(/^[0-9a-z]{3}$/)
          expect(decodeAgent(code)).toEqual({ browser, os, device })
        }
      }
    }
  })

  test('of unknown names are "Other"', () => {
    expect(encodeAgent({ browser: 'Netscape', os: 'BeOS', device: 'Fridge' })).toBe('000')
    expect(decodeAgent('000')).toEqual({ browser: 'Other', os: 'Other', device: 'Other' })
  })
})

test('the cache is bounded, and keeps what is used', () => {
  let computed = 0
  const cache = new RecentCache<number>(10)
  const compute = () => ++computed
  for (let key = 0; key < 1_000; key += 1) {
    cache.get('used', compute)
    cache.get(`${key}`, compute)
  }
  expect(computed).toBe(1_001)
  cache.get('0', compute)
  expect(computed).toBe(1_002)
})
