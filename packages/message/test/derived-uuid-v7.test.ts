import { isUuidV7, timeOfUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { describe, expect, test } from 'vitest'
import { derivedUuidV7 } from '../derived-uuid-v7.ts'

describe('a UUIDv7 derived from a seed', () => {
  test('is a UUIDv7 with the given time', () => {
    for (let seed = 0; seed < 2_000; seed += 1) {
      const id = derivedUuidV7(1_700_000_000_123, `seed ${seed}`)
      expect(id).toSatisfy(isUuidV7)
      expect(timeOfUuidV7(id)).toBe(1_700_000_000_123)
    }
  })

  test('is the same for the same time and seed, and differs for others', () => {
    const id = derivedUuidV7(1_700_000_000_123, 'request:0')
    expect(derivedUuidV7(1_700_000_000_123, 'request:0')).toBe(id)
    expect(derivedUuidV7(1_700_000_000_123, 'request:1')).not.toBe(id)
    expect(derivedUuidV7(1_700_000_000_124, 'request:0')).not.toBe(id)
  })

  test('never changes: a retry after an upgrade must get the same id', () => {
    expect(derivedUuidV7(1_700_000_000_123, 'request:0')).toBe('018bcfe5-687b-74cf-ad80-243b288cd480')
  })
})
