import { appendFile, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Line } from '../line.ts'
import { TextFile } from '../text-file.ts'
import { TextStream } from '../text-stream.ts'

let folder: string
let files = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clicktally-text-'))
})

afterAll(() => rm(folder, { recursive: true }))

async function fileWith(content: string | Buffer): Promise<string> {
  const path = join(folder, `${files++}`)
  await writeFile(path, content)
  return path
}

async function openFile(content: string | Buffer): Promise<TextFile> {
  const file = await TextFile.open(await fileWith(content))
  onTestFinished(() => file.close())
  return file
}

async function linesOf(file: TextFile | TextStream): Promise<Line[]> {
  return (await Array.fromAsync(file.lines())).flat()
}

const text = Array.from({ length: 20_000 }, (_, number) => `line ${number} ${number * 7919}\n`).join('')
const half = text.indexOf('\n', text.length / 2) + 1
const members = Buffer.concat([gzipSync(text.slice(0, half)), gzipSync(text.slice(half))])

describe('a text file', () => {
  it('has the same lines in plain text and in gzip with one or more members', async () => {
    const plain = await linesOf(await openFile(text))
    expect(plain).toHaveLength(20_000)
    for (const content of [gzipSync(text), members]) expect(await linesOf(await openFile(content))).toEqual(plain)
  })

  it.each([
    ['plain', text],
    ['gzip', members],
  ])('can be read on from the middle: %s', async (_name, content) => {
    const file = await openFile(content)
    const lines = await linesOf(file)
    for (const place of [0, 1, 9_999, 19_998, 19_999]) {
      const { number, endBytes } = lines[place] as Line
      const rest = await Array.fromAsync(file.lines({ lines: number, bytes: endBytes }))
      expect(rest.flat()).toEqual(lines.slice(place + 1))
    }
  })

  it.each([
    ['plain', text.repeat(4)],
    ['gzip', gzipSync(text.repeat(4), { level: 0 })],
  ])('can be read again while an abandoned reader still reads a chunk: %s', async (_name, content) => {
    const file = await openFile(content)
    for (let time = 0; time < 3; time++) {
      const givenUp = file.lines()
      await givenUp.next()
      const leaving = givenUp.return(undefined)
      expect(await linesOf(file)).toHaveLength(80_000)
      await leaving
    }
  })

  it('is read up to its size when it was opened, even if it grows', async () => {
    const path = await fileWith('a\n')
    const file = await TextFile.open(path)
    onTestFinished(() => file.close())
    await appendFile(path, 'b\n')
    expect((await linesOf(file)).map((line) => line.text)).toEqual(['a'])
  })

  it('reports how much was read, and its first bytes', async () => {
    const file = await openFile(members)
    await linesOf(file)
    expect(file).toMatchObject({ bytesRead: members.length, sizeBytes: members.length })
    expect(await file.head(10)).toEqual(members.subarray(0, 10))
    expect(await file.head(1_000_000_000)).toEqual(members)
  })

  it('may be empty', async () => {
    expect(await linesOf(await openFile(''))).toEqual([])
  })

  it('may be truncated while it is read', async () => {
    const path = await fileWith(text)
    const file = await TextFile.open(path)
    onTestFinished(() => file.close())
    await truncate(path)
    expect(await linesOf(file)).toEqual([])
  })
})

describe('an unreadable file', () => {
  it('is reported with the reason', async () => {
    await expect(TextFile.open(join(folder, 'missing'))).rejects.toThrow("can't be read: there is no such file")
    await expect(TextFile.open(folder)).rejects.toThrow('is not an ordinary file')
  })

  it('may be truncated or damaged gzip data', async () => {
    const bytes = gzipSync(text)
    await expect(linesOf(await openFile(bytes.subarray(0, -20)))).rejects.toThrow('its gzip data ends too early')
    const damaged = Buffer.from(bytes)
    damaged.fill(0xff, 200, 260)
    await expect(linesOf(await openFile(damaged))).rejects.toThrow('its gzip data is damaged')
    await expect(linesOf(new TextStream('stdin', Readable.from([damaged])))).rejects.toThrow('stdin can')
  })
})

describe('a text from a pipe', () => {
  it.each([1, 7, 1_000_000])(
    'has the same lines in plain text and gzip, with chunks of %i bytes',
    async (chunkBytes) => {
      const expected = await linesOf(await openFile(text.slice(0, 5_000)))
      for (const content of [Buffer.from(text.slice(0, 5_000)), gzipSync(text.slice(0, 5_000))]) {
        const chunks = Array.from({ length: Math.ceil(content.length / chunkBytes) }, (_, n) =>
          content.subarray(n * chunkBytes, (n + 1) * chunkBytes),
        )
        const stream = new TextStream('stdin', Readable.from(chunks))
        expect(await linesOf(stream)).toEqual(expected)
        expect(stream.bytesRead).toBe(content.length)
      }
    },
  )

  it('may be empty, or a single byte', async () => {
    expect(await linesOf(new TextStream('stdin', Readable.from([])))).toEqual([])
    expect((await linesOf(new TextStream('stdin', Readable.from([Buffer.from('a')])))).map((l) => l.text)).toEqual([
      'a',
    ])
  })
})
