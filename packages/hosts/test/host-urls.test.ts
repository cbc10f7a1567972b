import { describe, expect, test } from 'vitest'
import { hostOf, hostUrls } from '../host-urls.ts'

describe('a URL with several hosts', () => {
  test.each([
    ['amqp://a', ['amqp://a']],
    ['amqp://u:p@a:1/v?heartbeat=5', ['amqp://u:p@a:1/v?heartbeat=5']],
    [
      'amqp://u:p@a:1,b:2,[::1]:3/v?x=1,2',
      ['amqp://u:p@a:1/v?x=1,2', 'amqp://u:p@b:2/v?x=1,2', 'amqp://u:p@[::1]:3/v?x=1,2'],
    ],
    ['postgres://u@a,b', ['postgres://u@a', 'postgres://u@b']],
    ['postgres://u:p,q@r@a,b/d', ['postgres://u:p,q@r@a/d', 'postgres://u:p,q@r@b/d']],
  ])('is split: %s', (url, expected) => {
    expect(hostUrls(url)).toEqual(expected)
  })

  test.each([
    'amqp://',
    'amqp://a,',
    'amqp://,a',
    'amqp://a,,b',
    'amqp://a,b,a',
    'amqp://a:1,b:x',
    'amqp://u:secret@a:99999',
    'a,b',
    '//a',
    '',
    `amqp://${Array.from({ length: 17 }, (_, index) => `h${index}`).join(',')}`,
  ])('is not %j, and the error does not quote it', (url) => {
    expect(() => hostUrls(url)).toThrow(TypeError)
    expect(() => hostUrls(url)).not.toThrow(/secret/)
  })
})

test('a host is shown without the password', () => {
  expect(hostOf('amqp://u:secret@a:5673/v')).toBe('a:5673')
})
