import { TargetCounts } from '@clicktally/requests/target-counts.ts'
import { describe, expect, it } from 'vitest'
import type { Click } from '../click.ts'
import { SyntheticClicks } from '../synthetic-clicks.ts'
import { Timeline } from '../timeline.ts'

const endMs = Date.parse('2025-11-21T10:00:00Z')
const signal = new AbortController().signal

async function clicksOf(count: number, seed: number): Promise<Click[]> {
  const source = new SyntheticClicks(count, seed)
  const { firstMs, lastMs } = await source.survey(signal, () => {})
  return Array.fromAsync(source.clicks(new Timeline(firstMs, lastMs, endMs)))
}

describe('synthetic clicks', () => {
  it('are the same for the same seed, and others for another', async () => {
    const clicks = await clicksOf(300, 1)
    expect(await clicksOf(300, 1)).toEqual(clicks)
    expect((await clicksOf(300, 2)).map(({ target }) => target)).not.toEqual(clicks.map(({ target }) => target))
  })

  it('have the same country and user agent whenever the same visitor clicks', async () => {
    const clicks = await clicksOf(2_000, 1)
    const agents = new Map(clicks.map(({ visitorId, userAgent, country }) => [visitorId, `${userAgent} ${country}`]))
    for (const { visitorId, userAgent, country } of clicks) {
      expect(agents.get(visitorId)).toBe(`${userAgent} ${country}`)
    }
    expect(new Set(agents.values()).size).toBeGreaterThan(20)
  })

  it('are as many as were counted, target by target', async () => {
    const { counts } = await new SyntheticClicks(5_000, 7).survey(signal, () => {})
    const made = new TargetCounts()
    for (const { target, bot } of await clicksOf(5_000, 7)) made.add(target, bot ? 0 : 1, bot ? 1 : 0)
    expect(counts.clicks).toBe(5_000)
    expect(made.top(2_000)).toEqual(counts.top(2_000))
  })

  it('are of a day that ends now, and each has an id of its own', async () => {
    const clicks = await clicksOf(2_000, 1)
    const times = clicks.map(({ occurredAt }) => Date.parse(occurredAt))
    expect(Math.max(...times)).toBe(endMs)
    expect(Math.min(...times)).toBeGreaterThanOrEqual(endMs - 86_400_000)
    expect(new Set(clicks.map(({ id }) => id)).size).toBe(2_000)
  })

  it('have a few hot targets and a long tail, visitors who come back, and some bots', async () => {
    const { counts } = await new SyntheticClicks(20_000, 1).survey(signal, () => {})
    expect(counts.top(10).reduce((sum, { people, bots }) => sum + people + bots, 0)).toBeGreaterThan(20_000 / 4)
    expect(counts.size).toBeGreaterThan(1_000)
    expect(counts.bots).toBeGreaterThan(20_000 * 0.02)
    expect(counts.bots).toBeLessThan(20_000 * 0.25)
    const visitors = new Set((await clicksOf(20_000, 1)).map(({ visitorId }) => visitorId))
    expect(visitors.size).toBeLessThan(20_000 / 5)
  })

  it('may be a single one', async () => {
    expect(await clicksOf(1, 0)).toHaveLength(1)
  })
})
