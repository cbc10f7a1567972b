import { describe, expect, it } from 'vitest'
import { logClick } from '../log-click.ts'
import { visitorIdFor } from '../visitor-id.ts'

const key = Buffer.alloc(32, 7)

describe('the click from a log line', () => {
  it('has a visitor id instead of an address, and omits fields that are missing in the line', () => {
    expect(logClick({ timeMs: 0, target: '/a', address: '192.0.2.1', referrer: 'https://e.com/' }, key)).toEqual({
      target: '/a',
      visitorId: visitorIdFor('192.0.2.1', key),
      referrer: 'https://e.com/',
    })
    expect(logClick({ timeMs: 0, target: '/a' }, key)).toEqual({ target: '/a' })
    expect(visitorIdFor('192.0.2.1', key)).toMatch(/^[0-9a-f]{16}$/)
  })

  it('has the user agent, as far as an event may have it, and is a bot if that says so', () => {
    const crawler = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'
    const browser = 'Mozilla/5.0 (X11; Linux x86_64; rv:138.0) Gecko/20100101 Firefox/138.0'
    expect(logClick({ timeMs: 0, target: '/a', userAgent: crawler }, key)).toEqual({
      ...{ target: '/a', userAgent: crawler, bot: true },
    })
    expect(logClick({ timeMs: 0, target: '/a', userAgent: browser }, key)).toEqual({
      ...{ target: '/a', userAgent: browser },
    })
    expect(logClick({ timeMs: 0, target: '/a', userAgent: browser + 'x'.repeat(1_000_000) }, key)).toEqual({
      target: '/a',
      userAgent: (browser + 'x'.repeat(512)).slice(0, 512),
    })
  })
})
