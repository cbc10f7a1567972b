import fc from 'fast-check'
import { expect, test } from 'vitest'
import { GroupCounts } from '../group-counts.ts'

/** Negative ones, those that are counted in arrays, the first that are not, and temporary ones. */
const id = fc.oneof(
  fc.integer({ min: -1, max: 200 }),
  fc.integer({ min: 16_300, max: 16_400 }),
  fc.integer({ min: 2 ** 24, max: 2 ** 24 + 50 }),
)
const count = fc.record({ total: fc.nat({ max: 1_000 }), bots: fc.nat({ max: 1_000 }) })
const step = fc.oneof(
  fc.record({ add: id, count: count.filter(({ total, bots }) => total + bots > 0) }),
  fc.record({ rename: id, to: id }),
)

test('clicks are counted by their id, however large, and under the other id after a renaming', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const counts = new GroupCounts()
      const model = new Map<number, { total: number; bots: number }>()
      const add = (to: number, { total, bots }: { total: number; bots: number }) => {
        const before = model.get(to) ?? { total: 0, bots: 0 }
        model.set(to, { total: before.total + total, bots: before.bots + bots })
      }
      for (const each of steps) {
        if ('add' in each) {
          counts.addTo(each.add, each.count.total, each.count.bots)
          add(each.add, each.count)
        } else {
          counts.rename(new Map([[each.rename, each.to]]))
          const renamed = model.get(each.rename)
          model.delete(each.rename)
          if (renamed !== undefined) add(each.to, renamed)
        }
      }
      expect(counts.counts).toEqual(model)
      for (const [key, value] of model) expect(counts.get(key)).toEqual(value)
      const sum = { total: 0, bots: 0 }
      for (const { total, bots } of model.values()) {
        sum.total += total
        sum.bots += bots
      }
      expect(counts.sum).toEqual(sum)
    }),
  )
})
