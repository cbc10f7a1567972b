import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { linesOf, pageOf, readContent, writeContent } from '../archive-content.ts'
import { openArchiveStore } from '../archive-settings.ts'
import { ArchiveMissing, type ArchiveStore, ArchiveUnavailable } from '../archive-store.ts'
import { FolderStore } from '../folder-store.ts'
import { archiveFile, listArchives, type Manifest, manifestOf, readManifest, writeManifest } from '../manifest.ts'
import { kindsOfStores, scratchFolder } from './archive-stores.ts'

async function* inParts(...parts: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts
}

const bytesOf = async (store: ArchiveStore, name: string) => buffer(await store.read(name))

test('in a folder, what a killed process left of a file is listed, and removed when it is written again', async () => {
  const folder = await scratchFolder()
  const store = new FolderStore(folder)
  await mkdir(join(folder, 'project-1'))
  for (const name of ['a.x1.partial', 'ab.x2.partial']) await writeFile(join(folder, 'project-1', name), 'part')
  await store.write('project-1/a', inParts(Buffer.from('all')))
  expect(await store.list('project-1/a')).toEqual(['project-1/a', 'project-1/ab.x2.partial'])
  expect(await Array.fromAsync(listArchives(store))).toEqual([])
})

test('a folder that does not exist is an error, and is not created', async () => {
  const folder = join(await scratchFolder(), 'not mounted')
  const store = new FolderStore(folder)
  await expect(store.list('project-1/')).rejects.toThrow(`${folder}, does not exist`)
  await expect(store.write('project-1/a', inParts(Buffer.from('all')))).rejects.toThrow(`${folder}, does not exist`)
  expect(existsSync(folder)).toBe(false)
})

test('errors of a place name it, and those of what is written to it stay as they are', async () => {
  const file = join(await scratchFolder(), 'no folder')
  await writeFile(file, '')
  const s3 = {
    endpoint: 'http://127.0.0.1:1',
    region: 'us-east-1',
    storageClass: undefined,
    accessKeyId: 'a',
    secretAccessKey: 'b',
  }
  for (const place of [{ folder: file }, { bucket: 'archives', prefix: '' }]) {
    const store = await openArchiveStore(place, s3)
    for (const act of [
      () => store.list('project-1/'),
      () => store.read('project-1/a'),
      () => store.write('project-1/a', inParts(Buffer.from('all'))),
      () => writeContent(store, 'project-1/a', inParts(Buffer.from('all\n')) as AsyncGenerator<Buffer>),
    ]) {
      const error = await act().catch((error: unknown) => error)
      expect(error).toBeInstanceOf(ArchiveUnavailable)
      expect(error).toMatchObject({ message: expect.stringContaining(store.description), cause: expect.anything() })
    }
    store.close()
  }
  const broken = (async function* () {
    yield randomBytes(10)
    throw Object.assign(new Error('no more'), { code: '57014' })
  })()
  const store = await openArchiveStore({ folder: await scratchFolder() }, s3)
  await expect(store.write('project-1/a', broken)).rejects.toMatchObject({ code: '57014' })
})

test('an archive is not damaged because the connection breaks while it is read', async () => {
  const store = new FolderStore(await scratchFolder())
  const file = archiveFile(1, 'clicks_20261128', 'a'.repeat(64))
  const written = await writeContent(store, file, inParts(randomBytes(100_000)) as AsyncGenerator<Buffer>)
  const manifest: Manifest = {
    ...{ version: 1, project: { id: 1, name: 'default' }, partition: 'clicks_20261128', file, clicks: written.lines },
    ...{ firstId: null, lastId: null, firstOccurredAt: null, lastOccurredAt: null, writtenAt: '' },
    ...{ bytes: written.bytes, sha256: written.sha256, contentSha256: written.contentSha256 },
  }
  const bytes = await bytesOf(store, file)
  const breaking = async () =>
    Readable.from(
      (async function* () {
        yield bytes.subarray(0, 1_000)
        throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
      })(),
      { objectMode: false },
    )
  const remote = { description: 's3://archives/', read: breaking } as unknown as ArchiveStore
  for (const act of [() => Array.fromAsync(readContent(remote, manifest)), () => readManifest(remote, 'project-1/a')]) {
    const error = await act().catch((error: unknown) => error)
    expect(error).toBeInstanceOf(ArchiveUnavailable)
    expect(error).toMatchObject({ message: 'The archives in s3://archives/ cannot be used: aborted.' })
  }
})

describe.for(kindsOfStores)('%s', ([, create]) => {
  test('has what was written, and lists and removes it', async () => {
    const store = await create()
    expect(await store.list('')).toEqual([])
    const large = randomBytes(20 * 1024 * 1024)
    await store.write('project-1/b', inParts(large.subarray(0, 5), large.subarray(5)))
    await store.write('project-1/a', inParts(Buffer.from('first')))
    await store.write('project-1/a', inParts(Buffer.from('second')))
    await store.write('project-10/a', inParts(Buffer.from('other')))
    expect((await bytesOf(store, 'project-1/b')).equals(large)).toBe(true)
    expect((await bytesOf(store, 'project-1/a')).toString()).toBe('second')
    expect(await store.list('project-1/')).toEqual(['project-1/a', 'project-1/b'])
    await store.remove('project-1/a')
    await store.remove('project-1/a')
    expect(await store.list('project-')).toEqual(['project-1/b', 'project-10/a'])
    await expect(store.read('project-1/a')).rejects.toThrow(ArchiveMissing)
  })

  test('has nothing of a file whose content ended with an error', async () => {
    const store = await create()
    const broken = (async function* () {
      yield randomBytes(9 * 1024 * 1024)
      throw new Error('no more')
    })()
    await expect(store.write('project-1/a', broken)).rejects.toThrow('no more')
    expect(await store.list('')).toEqual([])
  })

  test('has an archive of lines that are read as they were written, and shows any damage', async () => {
    const store = await create()
    const line = fc.string({ unit: 'binary' }).map((text) => JSON.stringify({ text }))
    const [lines = []] = fc.sample(fc.array(line, { minLength: 5_000, maxLength: 5_000, size: 'max' }), 1)
    const name = archiveFile(1, 'clicks_20261128', 'a'.repeat(64))
    const written = await writeContent(
      store,
      name,
      (async function* () {
        for (let at = 0; at < lines.length; at += 700) yield pageOf(lines.slice(at, at + 700))
      })(),
    )
    const manifest: Manifest = {
      ...{ version: 1, project: { id: 1, name: 'default' }, partition: 'clicks_20261128', file: name },
      ...{ clicks: lines.length, firstId: null, lastId: null, firstOccurredAt: null, lastOccurredAt: null },
      ...{ bytes: written.bytes, sha256: written.sha256, contentSha256: written.contentSha256, writtenAt: '' },
    }
    await writeManifest(store, manifest)
    expect(await Array.fromAsync(listArchives(store))).toEqual([manifest])
    const read = async (described: Manifest) => (await Array.fromAsync(readContent(store, described))).flatMap(linesOf)
    expect(await read(manifest)).toEqual(lines)
    const wrong = 'b'.repeat(64)
    for (const change of [{ sha256: wrong }, { contentSha256: wrong }, { clicks: 4_999 }, { bytes: 1 }])
      await expect(read({ ...manifest, ...change })).rejects.toThrow(
        `The archive ${name} in ${store.description} is damaged`,
      )
    const bytes = await bytesOf(store, name)
    await store.write(name, inParts(bytes.subarray(0, bytes.length - 100)))
    await expect(read(manifest)).rejects.toThrow('is damaged: unexpected end of file')
    bytes.writeUInt8(bytes.readUInt8(1_000) ^ 255, 1_000)
    await store.write(name, inParts(bytes))
    await expect(read(manifest)).rejects.toThrow('is damaged')
  })

  test('with a manifest that is none, or of another archive, is an error that names it', async () => {
    const store = await create()
    const name = manifestOf(archiveFile(1, 'clicks_20261128', 'a'.repeat(64)))
    for (const text of ['no JSON', '{}', 'x'.repeat(100_000)]) {
      await store.write(name, inParts(Buffer.from(text)))
      await expect(readManifest(store, name)).rejects.toThrow(name)
    }
  })
})
