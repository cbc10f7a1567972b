import { describe, expect, test } from 'vitest'
import { createApi } from './api-under-test.ts'

/** Two clicks on a and one on b on each of some days, and five more on the last. */
async function createDays() {
  const api = await createApi()
  for (const day of ['07', '08', '09', '10']) {
    await api.count(
      { minute: `2026-03-${day}T09:00Z`, target: 'a', total: 2, bots: 1, visitors: ['ann', `of-${day}`] },
      { minute: `2026-03-${day}T15:00Z`, target: 'b', visitors: ['ann'] },
    )
  }
  await api.count({ minute: '2026-03-10T09:00Z', target: 'a', total: 5, visitors: ['zoe'] })
  return api
}

describe('a comparison', () => {
  test('with the previous range has its own counts', async () => {
    const { get } = await createDays()
    const { body } = await get('/v1/counts?from=2026-03-09&to=2026-03-11&compare=previous')
    expect(body).toMatchObject({ total: 11, bots: 2, visitors: 4 })
    expect(body.comparison).toEqual({
      from: '2026-03-07T00:00:00.000Z',
      to: '2026-03-09T00:00:00.000Z',
      total: 6,
      bots: 2,
      visitors: 3,
    })
    // The same as asking for that range.
    const alone = await get('/v1/counts?from=2026-03-07&to=2026-03-09')
    expect(alone.body).toMatchObject({ total: 6, bots: 2, visitors: 3 })
    expect(alone.body).not.toHaveProperty('comparison')
  })

  test('with any other range', async () => {
    const { get } = await createDays()
    const { body } = await get('/v1/counts?target=a&from=2026-03-10&compareFrom=2026-03-07&compareTo=2026-03-10')
    expect([body.total, body.comparison.total]).toEqual([7, 6])
    expect(body.meta.to).toBeNull()
  })

  test('of a series has a point for each of its own buckets', async () => {
    const { get } = await createDays()
    const { body } = await get(
      '/v1/counts/series?interval=day&from=2026-03-09&to=2026-03-11&compare=previous&visitors=true',
    )
    const totals = (points: { total: number; visitors: number }[]) =>
      points.map(({ total, visitors }) => [total, visitors])
    expect(totals(body.points)).toEqual([
      [3, 2],
      [8, 3],
    ])
    expect(totals(body.comparison.points)).toEqual([
      [3, 2],
      [3, 2],
    ])
    expect(body.comparison.points[0].start).toBe('2026-03-07T00:00:00.000Z')
  })

  test('of a series without a range has as many points, aligned with them', async () => {
    const { get } = await createApi()
    for (const interval of ['hour', 'day', 'week', 'month', 'quarter', 'year']) {
      const { body } = await get(`/v1/counts/series?interval=${interval}&compare=previous`)
      expect([interval, body.comparison.points.length]).toEqual([interval, body.points.length])
      expect(body.comparison.points[0].start).toBe(body.comparison.from)
    }
  })

  test('of the top targets has the counts of each in that range', async () => {
    const { get } = await createDays()
    const { body } = await get('/v1/counts/top?from=2026-03-10&to=2026-03-11&compare=previous')
    expect(body.targets).toEqual([
      { target: 'a', total: 7, bots: 1, comparison: { total: 2, bots: 1 } },
      { target: 'b', total: 1, bots: 0, comparison: { total: 1, bots: 0 } },
    ])
    expect(body.comparison).toEqual({ from: '2026-03-09T00:00:00.000Z', to: '2026-03-10T00:00:00.000Z' })
  })

  test.each([
    ['compare=previous', 'compare'],
    ['from=2026-03-01&to=2026-03-02&compare=last', 'compare'],
    ['from=2026-03-01&to=2026-03-02&compare=previous&compareFrom=2026-02-01&compareTo=2026-02-02', 'compare'],
    ['compareFrom=2026-03-01', 'compareTo'],
    ['compareTo=2026-03-01', 'compareFrom'],
    ['compareFrom=2026-03-01&compareTo=2026-02-01', 'compareTo'],
    ['from=2090-01-01&compare=previous', 'from'],
  ])('refuses "%s"', async (query, field) => {
    const { get } = await createApi()
    const { status, body } = await get(`/v1/counts?${query}`)
    expect([status, body.field]).toEqual([422, field])
  })
})
