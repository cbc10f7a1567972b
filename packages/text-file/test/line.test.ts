import { describe, expect, it } from 'vitest'
import { type Line, maxLineBytes, splitLines } from '../line.ts'

/** Splits a text that arrives in chunks of this size. */
async function split(text: string | Buffer, chunkBytes = 65_536): Promise<Line[]> {
  const bytes = Buffer.from(text)
  async function* chunks() {
    for (let start = 0; start < bytes.length; start += chunkBytes) yield bytes.subarray(start, start + chunkBytes)
  }
  return (await Array.fromAsync(splitLines(chunks()))).flat()
}

describe('the lines of a text', () => {
  const text = 'a\n\nb\r\nä 😀\nlast'

  it.each([1, 2, 3, 5, 100])('are the same with chunks of %i bytes', async (chunkBytes) => {
    const lines = await split(text, chunkBytes)
    expect(lines.map((line) => line.text)).toEqual(['a', '', 'b\r', 'ä 😀', 'last'])
    expect(lines.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5])
    expect(lines.map(({ endBytes }) => endBytes)).toEqual([2, 3, 6, 14, 18])
  })

  it('do not include an empty line after the last line break', async () => {
    expect((await split('a\nb\n')).map((line) => line.text)).toEqual(['a', 'b'])
    expect((await split('a\nb\n')).some(({ lacksBreak }) => lacksBreak)).toBe(false)
    expect((await split('a\nb')).map(({ lacksBreak }) => lacksBreak)).toEqual([undefined, true])
    expect(await split('')).toEqual([])
  })

  it('do not include a leading byte order mark', async () => {
    expect(await split('\ufeffa\n\ufeffb')).toMatchObject([{ text: 'a', endBytes: 5 }, { text: '\ufeffb' }])
  })

  it('can be read from the middle', async () => {
    const all = await split(text)
    for (const { number, endBytes } of all) {
      const rest = splitLines(
        (async function* () {
          yield Buffer.from(text).subarray(endBytes)
        })(),
        { lines: number, bytes: endBytes },
      )
      expect((await Array.fromAsync(rest)).flat()).toEqual(all.slice(number))
    }
  })

  it.each([1_000, 65_536, 10_000_000])(
    'are truncated if they are too long, with chunks of %i bytes',
    async (chunkBytes) => {
      const long = 'x'.repeat(3_000_000)
      const lines = await split(`a\n${long}\nb\n${'y'.repeat(maxLineBytes)}\n${long}`, chunkBytes)
      expect(lines.map((line) => [line.text.length, line.isCut])).toEqual([
        [1, false],
        [maxLineBytes, true],
        [1, false],
        [maxLineBytes, false],
        [maxLineBytes, true],
      ])
      expect(lines.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5])
      expect(lines.at(-1)?.endBytes).toBe(6_000_000 + 3 + 2 + maxLineBytes + 1)
    },
  )

  it('contain no U+0000: leading ones are skipped, others replaced', async () => {
    const lines = await split(Buffer.concat([Buffer.alloc(300_000), Buffer.from('a\0b\n'), Buffer.alloc(10)]), 1_000)
    expect(lines).toEqual([{ text: 'a\ufffdb', number: 1, endBytes: 300_004, isCut: false }])
  })
})
