import { describe, expect, test } from 'vitest'
import { allowsOrigin, KeyRing, whyNotFound } from '../key-ring.ts'
import { decodeKeySnapshot, encodeKeySnapshot, type KeySnapshot, keySnapshotType } from '../key-snapshot.ts'
import { makeKey } from '../key-text.ts'

const write = makeKey('write')
const read = makeKey('read')

function snapshot(changes: Partial<KeySnapshot> = {}): KeySnapshot {
  return {
    version: 1,
    publishedAtMs: 1_000,
    projects: [{ id: 1, name: 'default', derivesVisitors: true }],
    keys: [
      { id: write.id, hash: write.hash, role: 'write', projectId: 1, origins: ['https://shop.example'] },
      { id: read.id, hash: read.hash, role: 'read', projectId: 1, origins: [], expiresAtMs: 5_000 },
    ],
    visitorSalts: { '2026-11-28': 'c2FsdA' },
    ...changes,
  }
}

describe('a key ring', () => {
  test('knows nothing before the first snapshot', () => {
    const ring = new KeyRing()
    expect(ring.isEmpty).toBe(true)
    expect(ring.find(write.text, 0)).toBeUndefined()
    expect(ring.knowsOrigin('https://shop.example')).toBe(false)
    expect(ring.version).toBeUndefined()
  })

  test('finds a key by its text, until it expires', () => {
    const ring = new KeyRing()
    expect(ring.replace(snapshot())).toBe(true)
    expect(ring.find(write.text, 10_000)).toMatchObject({ id: write.id, role: 'write', projectId: 1 })
    expect(ring.find(read.text, 4_999)).toMatchObject({ id: read.id })
    expect(ring.find(read.text, 5_000)).toBeUndefined()
    expect(ring.find(makeKey('read').text, 0)).toBeUndefined()
    expect(ring.find(`${write.text}x`, 0)).toBeUndefined()
    expect(ring.project(1)?.name).toBe('default')
    expect(ring.projectNamed('default')?.id).toBe(1)
    expect(ring.visitorSalt('2026-11-28')).toBe('c2FsdA')
  })

  test('removes a key that is not in the next snapshot', () => {
    const ring = new KeyRing()
    ring.replace(snapshot())
    ring.replace(snapshot({ version: 2, keys: [] }))
    expect(ring.find(write.text, 0)).toBeUndefined()
    expect(ring.knowsOrigin('https://shop.example')).toBe(false)
  })

  test('never replaces a snapshot with an older one, in any order of arrival', () => {
    const ring = new KeyRing()
    ring.replace(snapshot({ version: 2, keys: [], publishedAtMs: 2_000 }))
    expect(ring.replace(snapshot({ version: 1, publishedAtMs: 9_000 }))).toBe(false)
    expect(ring.find(write.text, 0)).toBeUndefined()
    expect(ring.replace(snapshot({ version: 2, keys: [], publishedAtMs: 1_500 }))).toBe(false)
    expect(ring.publishedAtMs).toBe(2_000)
    expect(ring.replace(snapshot({ version: 2, keys: [], publishedAtMs: 3_000 }))).toBe(true)
    expect(ring.publishedAtMs).toBe(3_000)
  })

  test('compares origins exactly, so that neither a suffix nor a prefix matches', () => {
    const ring = new KeyRing()
    ring.replace(snapshot())
    const key = ring.find(write.text, 0)
    if (key === undefined) throw new Error('the key is missing')
    expect(allowsOrigin(key, 'https://shop.example')).toBe(true)
    for (const origin of [
      'https://shop.example.evil.test',
      'https://evilshop.example',
      'http://shop.example',
      'https://shop.example:8443',
      'https://SHOP.example',
      'null',
      '',
    ]) {
      expect(allowsOrigin(key, origin), origin).toBe(false)
      expect(ring.knowsOrigin(origin), origin).toBe(false)
    }
  })

  test('distinguishes a malformed key from an unknown one', () => {
    expect(whyNotFound(write.text.slice(0, -1))).toBe('malformed')
    expect(whyNotFound(makeKey('owner').text)).toBe('unknown')
  })
})

describe('a key snapshot', () => {
  test('is the same after encoding and decoding', () => {
    expect(decodeKeySnapshot(keySnapshotType, encodeKeySnapshot(snapshot()))).toEqual(snapshot())
  })

  test.each([
    ['another type', 'clicks.v1', encodeKeySnapshot(snapshot())],
    ['no JSON', keySnapshotType, Buffer.from('{')],
    ['an unknown role', keySnapshotType, Buffer.from(JSON.stringify(snapshot()).replace('"write"', '"admin"'))],
    ['no version', keySnapshotType, Buffer.from(JSON.stringify({ ...snapshot(), version: undefined }))],
  ])('with %s is refused', (_what, type, content) => {
    expect(() => decodeKeySnapshot(type, content)).toThrow()
  })
})
