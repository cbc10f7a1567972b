import { describe, expect, it } from 'vitest'
import { printable } from '../printable.ts'
import { cutMiddle, renderTable } from '../table.ts'

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

  it('lets nothing through that a terminal would act on', () => {
    expect(printable('/\u001b[2J\u202e\r\n\u009b')).toBe('/\ufffd[2J\ufffd\ufffd\ufffd\ufffd')
  })

  it('cuts in the middle, to the column', () => {
    expect(cutMiddle('/abcdefgh', 9)).toBe('/abcdefgh')
    expect(cutMiddle('/abcdefghi', 9)).toBe('/abc…fghi')
    expect(cutMiddle('/料金料金料金', 8)).toBe('/料…料金')
  })
})
