import { batchLimits } from '@clicktally/contract/click-event.ts'
import { expect, test } from 'vitest'
import { bodyCosts } from './body-cost.ts'
import { hostileBodies, validBody } from './hostile-bodies.ts'

test('no body costs ingest ten times what a valid batch of the largest size does, nor has a large answer', async () => {
  const [valid, ...hostile] = await bodyCosts([validBody, ...hostileBodies])
  if (valid === undefined) throw new Error('the valid batch was not measured')
  expect(valid).toMatchObject({ status: 202 })
  expect(valid.cpuMs).toBeGreaterThan(0)
  for (const { name, cpuMs, bodyBytes, answerBytes } of hostile) {
    // Measured it is about 1 or less; what is wanted is that no body is of another order.
    expect({ name, ratio: cpuMs / valid.cpuMs }).toEqual({
      name,
      ratio: expect.toSatisfy((ratio: number) => ratio < 10),
    })
    expect(bodyBytes, name).toBeLessThanOrEqual(batchLimits.bodyBytes)
    expect(answerBytes, name).toBeLessThanOrEqual(batchLimits.bodyBytes / 4)
  }
})
