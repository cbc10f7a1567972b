import { describe, expect, it } from 'vitest'
import { printable } from '../printable.ts'
import { renderTable, truncateMiddle } from '../table.ts'

describe('a table', () => {
  it('aligns its columns, wide characters and combining marks included', () => {
    const lines = renderTable(
      [
        { title: 'target', align: 'left' },
        { title: 'n', align: 'right' },
      ],
      [
        ['/料金', '12'],
        ['/cafe\u0301', '3'],
      ],
    )
    expect(lines).toEqual(['target   n', '/料金   12', '/cafe\u0301    3'])
  })

  it('makes cells printable', () => {
    expect(printable('/\u001b[2J\u202e\r\n\u009b')).toBe('/\ufffd[2J\ufffd\ufffd\ufffd\ufffd')
  })

  it('truncates in the middle, to the column', () => {
    expect(truncateMiddle('/abcdefgh', 9)).toBe('/abcdefgh')
    expect(truncateMiddle('/abcdefghi', 9)).toBe('/abc…fghi')
    expect(truncateMiddle('/料金料金料金', 8)).toBe('/料…金')
  })
})
