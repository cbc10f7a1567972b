import { describe, expect, test } from 'vitest'
import { describeContent, hexDump, textOf } from '../letters/letter-content.ts'

describe('the summary of a letter', () => {
  test('is the target of its first click', () => {
    const content = Buffer.from('{"id":"1","target":"signup"}\n{"id":"2","target":"other"}')
    for (const type of ['clicks.v1', 'clicks.v2']) expect(describeContent(content, type)).toBe('signup')
  })

  test('or its first bytes, if it has another type or cannot be read', () => {
    expect(describeContent(Buffer.from('{"target":"signup"}'), 'clicks.v9')).toBe('{"target":"signup"}')
    expect(describeContent(Buffer.from('{"target":7}'), 'clicks.v1')).toBe('{"target":7}')
    expect(describeContent(Buffer.from(`{"target":"cut off`), 'clicks.v1')).toBe('{"target":"cut off')
    expect(describeContent(Buffer.from('null'), 'clicks.v1')).toBe('null')
    expect(describeContent(Buffer.from([0xff, 0x00, 0x41]), null)).toBe('\ufffd\ufffdA')
  })
})

describe('content', () => {
  test('is text if it is UTF-8 without control characters', () => {
    expect(textOf(Buffer.from('line\nünicode\t\r\n'))).toBe('line\nünicode\t\r\n')
    expect(textOf(Buffer.from('bell \u0007'))).toBeUndefined()
    expect(textOf(Buffer.from([0xc3, 0x28]))).toBeUndefined()
  })

  test('is dumped with sixteen bytes per line', () => {
    expect(hexDump(Buffer.from('0123456789abcdef\n\u0000'))).toEqual([
      '00000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef',
      '00000010  0a 00                                            ..',
    ])
  })
})
