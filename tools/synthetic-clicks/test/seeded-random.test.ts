import { describe, expect, it } from 'vitest'
import { seededRandom } from '../seeded-random.ts'

describe('seeded numbers', () => {
  it('are equal on every machine', () => {
    const random = seededRandom(1)
    expect([random(), random()]).toEqual([0.6270739405881613, 0.002735721180215478])
  })
})
