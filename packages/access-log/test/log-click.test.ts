import { describe, expect, it } from 'vitest'
import { logClick } from '../log-click.ts'
import { visitorIdFor } from '../visitor-id.ts'

const key = Buffer.alloc(32, 7)

describe('the click of a line', () => {
  it('has a visitor instead of an address, and leaves out what the line does not tell', () => {
    expect(logClick({ timeMs: 0, target: '/a', address: '192.0.2.1', referrer: 'https://e.com/' }, key)).toEqual({
      target: '/a',
      visitorId: visitorIdFor('192.0.2.1', key),
      referrer: 'https://e.com/',
    })
    expect(logClick({ timeMs: 0, target: '/a' }, key)).toEqual({ target: '/a' })
    expect(visitorIdFor('192.0.2.1', key)).toMatch(/^[0-9a-f]{16}$/)
  })

  it('is one of a bot where the user agent says so, however long it is', () => {
    const crawler = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'
    const browser = 'Mozilla/5.0 (X11; Linux x86_64; rv:138.0) Gecko/20100101 Firefox/138.0'
    expect(logClick({ timeMs: 0, target: '/a', userAgent: crawler }, key)).toEqual({ target: '/a', bot: true })
    expect(logClick({ timeMs: 0, target: '/a', userAgent: browser }, key)).toEqual({ target: '/a' })
    expect(logClick({ timeMs: 0, target: '/a', userAgent: browser + 'x'.repeat(1_000_000) }, key)).toEqual({
      target: '/a',
    })
  })
})
