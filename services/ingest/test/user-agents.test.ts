import { decodeAgent } from '@clicktally/dimensions/agent-codes.ts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readUserAgent } from '../attributes/user-agents.ts'

const webKit = 'AppleWebKit/537.36 (KHTML, like Gecko)'
const iPhone = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)'

describe('a user agent', () => {
  test.each([
    [
      `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webKit} Chrome/141.0.0.0 Safari/537.36`,
      'Chrome',
      'Windows',
      'Desktop',
    ],
    [
      `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webKit} Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0`,
      ...['Edge', 'Windows', 'Desktop'],
    ],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0', 'Firefox', 'Linux', 'Desktop'],
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15',
      ...['Safari', 'macOS', 'Desktop'],
    ],
    [`${iPhone} Version/18.5 Mobile/15E148 Safari/604.1`, 'Safari', 'iOS', 'Mobile'],
    [`${iPhone} CriOS/141.0.0.0 Mobile/15E148 Safari/604.1`, 'Chrome', 'iOS', 'Mobile'],
    [
      `Mozilla/5.0 (Linux; Android 10; K) ${webKit} Chrome/141.0.0.0 Mobile Safari/537.36`,
      'Chrome',
      'Android',
      'Mobile',
    ],
    [
      `Mozilla/5.0 (Linux; Android 15; SM-S921B) ${webKit} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36`,
      ...['Samsung Internet', 'Android', 'Mobile'],
    ],
    [
      'Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1 Mobile/15E148 Safari/604.1',
      ...['Safari', 'iOS', 'Tablet'],
    ],
    [
      `Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${webKit} Chrome/141.0.0.0 Safari/537.36`,
      'Chrome',
      'Chrome OS',
      'Desktop',
    ],
    [
      `Mozilla/5.0 (Web0S; Linux/SmartTV) ${webKit} Chrome/94.0.4606.128 Safari/537.36 WebAppManager`,
      ...['Other', 'webOS', 'TV'],
    ],
    ['Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)', 'Internet Explorer', 'Windows', 'Desktop'],
    [
      `Mozilla/5.0 (X11; Linux x86_64) ${webKit} Chrome/141.0.0.0 Safari/537.36 OPR/125.0.0.0`,
      'Opera',
      'Linux',
      'Desktop',
    ],
    ['Mozilla/5.0 (BeOS) NetPositive/2.2', 'Other', 'Other', 'Other'],
  ])('%s', (userAgent, browser, os, device) => {
    const agent = readUserAgent(userAgent)
    expect(agent && decodeAgent(agent.code)).toEqual({ browser, os, device })
    expect(agent?.isBot).toBe(false)
  })

  test.each([
    'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
    'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)',
    `Mozilla/5.0 (X11; Linux x86_64) ${webKit} HeadlessChrome/141.0.0.0 Safari/537.36`,
    'curl/8.5.0',
  ])('%s is a bot', (userAgent) => {
    expect(readUserAgent(userAgent)?.isBot).toBe(true)
  })

  test('that is empty or absent tells nothing', () => {
    expect([readUserAgent(''), readUserAgent(undefined)]).toEqual([undefined, undefined])
  })

  test('never throws and takes little time, whatever it contains', () => {
    const words = fc.constantFrom(
      ...[
        'Mozilla/5.0 ',
        '(',
        ')',
        ';',
        ' ',
        '/',
        '1.',
        'Windows NT ',
        'Android ',
        'Safari/',
        'Chrome/',
        'like Gecko',
        'Bot',
        'x',
      ],
    )
    const hostile = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 600 }),
      fc.array(words, { maxLength: 120 }).map((parts) => parts.join('')),
      fc.tuple(words, fc.integer({ min: 1, max: 600 })).map(([word, times]) => word.repeat(times)),
    )
    let slowestMs = 0
    fc.assert(
      fc.property(hostile, (userAgent) => {
        const { user } = process.threadCpuUsage()
        const agent = readUserAgent(userAgent)
        slowestMs = Math.max(slowestMs, (process.threadCpuUsage().user - user) / 1_000)
        if (userAgent !== '' && !/^[0-9a-z]{3}$/.test(agent?.code ?? '')) throw new Error(`the code is ${agent?.code}`)
      }),
      { numRuns: 2_000 },
    )
    // About 0.2 ms. The limit detects a pattern that backtracks.
    expect(slowestMs).toBeLessThan(50)
  })
})
