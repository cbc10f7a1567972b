import { createHash } from 'node:crypto'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { visitorIdFor } from '../visitor-id.ts'
import { readVisitorKey, VisitorKeyError } from '../visitor-key.ts'

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'clicktally-visitor-key-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return join(dir, 'state')
}

describe('a visitor id', () => {
  it('depends on the address and the key, and on nothing else', () => {
    const [one, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
    expect(visitorIdFor('192.0.2.1', one)).toMatch(/^[0-9a-f]{16}$/)
    expect(visitorIdFor('192.0.2.1', one)).toBe(visitorIdFor('192.0.2.1', one))
    expect(visitorIdFor('192.0.2.1', one)).not.toBe(visitorIdFor('192.0.2.2', one))
    expect(visitorIdFor('192.0.2.1', one)).not.toBe(visitorIdFor('192.0.2.1', other))
  })

  it('cannot be found among the hashes of all addresses', () => {
    const id = visitorIdFor('192.0.2.1', Buffer.alloc(32, 1))
    const hashes = Array.from({ length: 256 }, (_, last) =>
      createHash('sha256').update(`192.0.2.${last}`).digest('hex'),
    )
    expect(hashes.some((hash) => hash.startsWith(id))).toBe(false)
  })
})

describe('the visitor key', () => {
  it('is generated once, readable by its owner only, and never changes', async () => {
    const dir = await folder()
    const key = await readVisitorKey(dir)
    expect(key).toHaveLength(32)
    expect((await stat(join(dir, 'visitor-key'))).mode & 0o777).toBe(0o600)
    expect((await stat(dir)).mode & 0o777).toBe(0o700)
    expect(await readVisitorKey(dir)).toEqual(key)
    expect(await readVisitorKey(await folder())).not.toEqual(key)
  })

  it('is the same for all processes that generate it at the same time', async () => {
    const dir = await folder()
    const keys = await Promise.all(Array.from({ length: 16 }, () => readVisitorKey(dir)))
    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(1)
    expect(await readdir(dir)).toEqual(['visitor-key'])
  })

  it('is rejected, and left unchanged, if others can read it or it is truncated', async () => {
    const dir = await folder()
    await readVisitorKey(dir)
    const path = join(dir, 'visitor-key')
    await chmod(path, 0o644)
    await expect(readVisitorKey(dir)).rejects.toThrow(VisitorKeyError)
    await chmod(path, 0o600)
    await writeFile(path, 'abc')
    await expect(readVisitorKey(dir)).rejects.toThrow('is no visitor key')
    expect(await readFile(path, 'utf8')).toBe('abc')
  })
})
