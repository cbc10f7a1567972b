import { batchLimits } from '@clicktally/event/click-event.ts'
import { expect, test } from 'vitest'
import { bodyCosts } from './body-cost.ts'
import { hostileBodies, validBody } from './hostile-bodies.ts'

test('no body costs ten times as much as the largest valid batch, or has a large response', async () => {
  const [valid, ...hostile] = await bodyCosts([validBody, ...hostileBodies])
  if (valid === undefined) throw new Error('the valid batch was not measured')
  expect(valid).toMatchObject({ status: 202 })
  expect(valid.cpuMs).toBeGreaterThan(0)
  for (const { name, cpuMs, bodyBytes, answerBytes } of hostile) {
    // The measured ratio is about 1 or less. The limit detects another order of magnitude.
    expect({ name, ratio: cpuMs / valid.cpuMs }).toEqual({
      name,
      ratio: expect.toSatisfy((ratio: number) => ratio < 10),
    })
    expect(bodyBytes, name).toBeLessThanOrEqual(batchLimits.bodyBytes)
    expect(answerBytes, name).toBeLessThanOrEqual(batchLimits.bodyBytes / 4)
  }
})
