import { describe, expect, test } from 'vitest'
import { createApi } from './api-under-test.ts'

const starts = (body: { points: { start: string }[] }) => body.points.map(({ start }) => start.replace(':00.000Z', 'Z'))

describe('GET /v1/counts/series', () => {
  test('fills empty buckets with zeros', async () => {
    const api = await createApi()
    await api.count({ minute: '2026-03-01T10:00Z', total: 2 }, { minute: '2026-03-01T10:02Z', total: 3, bots: 1 })
    const { body } = await api.get(
      '/v1/counts/series?interval=minute&from=2026-03-01T10:00:00Z&to=2026-03-01T10:04:00Z',
    )
    expect(body.points).toEqual([
      { start: '2026-03-01T10:00:00.000Z', end: '2026-03-01T10:01:00.000Z', total: 2, bots: 0 },
      { start: '2026-03-01T10:01:00.000Z', end: '2026-03-01T10:02:00.000Z', total: 0, bots: 0 },
      { start: '2026-03-01T10:02:00.000Z', end: '2026-03-01T10:03:00.000Z', total: 3, bots: 1 },
      { start: '2026-03-01T10:03:00.000Z', end: '2026-03-01T10:04:00.000Z', total: 0, bots: 0 },
    ])
  })

  test('days of 23 and 25 hours have their real length', async () => {
    const api = await createApi()
    const days = async (from: string, to: string) =>
      starts((await api.get(`/v1/counts/series?interval=day&tz=Europe/Paris&from=${from}&to=${to}`)).body)
    expect(await days('2026-03-27T23:00:00Z', '2026-03-30T22:00:00Z')).toEqual([
      '2026-03-27T23:00Z',
      '2026-03-28T23:00Z',
      '2026-03-29T22:00Z',
    ])
    expect(await days('2026-10-23T22:00:00Z', '2026-10-26T23:00:00Z')).toEqual([
      '2026-10-23T22:00Z',
      '2026-10-24T22:00Z',
      '2026-10-25T23:00Z',
    ])
  })

  test('the repeated hour in autumn has two buckets', async () => {
    const api = await createApi()
    await api.count({ minute: '2026-10-25T00:30Z', total: 1 }, { minute: '2026-10-25T01:30Z', total: 2 })
    const { body } = await api.get(
      '/v1/counts/series?interval=hour&tz=Europe/Paris&from=2026-10-25T00:00:00Z&to=2026-10-25T02:00:00Z',
    )
    expect(body.points.map(({ total }: { total: number }) => total)).toEqual([1, 2])
  })

  test.each([
    ['Asia/Kathmandu', '2026-03-01T00:15:00Z', '2026-03-01T02:15:00Z', ['2026-03-01T00:15Z', '2026-03-01T01:15Z']],
    ['Asia/Kolkata', '2026-03-01T00:30:00Z', '2026-03-01T02:30:00Z', ['2026-03-01T00:30Z', '2026-03-01T01:30Z']],
    // Lord Howe Island changes its clocks by half an hour: on 4 October 2026 at 02:00 (15:30Z) to 02:30, and back on 5 April at
    // 02:00 (15:00Z) to 01:30.
    [
      'Australia/Lord_Howe',
      '2026-10-03T14:30:00Z',
      '2026-10-03T17:00:00Z',
      ['2026-10-03T14:30Z', '2026-10-03T15:30Z', '2026-10-03T16:00Z'],
    ],
    [
      'Australia/Lord_Howe',
      '2026-04-04T14:00:00Z',
      '2026-04-04T16:30:00Z',
      ['2026-04-04T14:00Z', '2026-04-04T15:00Z', '2026-04-04T15:30Z'],
    ],
  ])('hours of %s begin where its clocks say', async (tz, from, to, expected) => {
    const api = await createApi()
    const { body } = await api.get(`/v1/counts/series?interval=hour&tz=${tz}&from=${from}&to=${to}`)
    expect(starts(body)).toEqual(expected)
  })

  test('the points add up to the counts of the range, for every zone and interval', async () => {
    const api = await createApi()
    for (let hour = 0; hour < 60; hour += 1) {
      const minute = new Date(Date.UTC(2026, 9, 23, 12 + hour, (hour * 7) % 60)).toISOString()
      await api.count({ minute, total: hour + 1, bots: hour % 3 })
    }
    const range = 'from=2026-10-23T13:10:00Z&to=2026-10-26T01:20:00Z'
    const { total, bots } = (await api.get(`/v1/counts?${range}`)).body
    for (const tz of [
      'UTC',
      'Europe/Paris',
      'Asia/Kathmandu',
      'Australia/Lord_Howe',
      'America/St_Johns',
      'Pacific/Apia',
    ]) {
      for (const interval of ['minute', 'hour', 'day', 'week', 'month', 'quarter', 'year']) {
        const { points } = (await api.get(`/v1/counts/series?interval=${interval}&tz=${tz}&${range}`)).body
        const sum = (field: 'total' | 'bots') =>
          points.reduce((sum: number, point: Record<string, number>) => sum + (point[field] ?? 0), 0)
        expect([tz, interval, sum('total'), sum('bots')]).toEqual([tz, interval, total, bots])
        expect(new Set(starts({ points })).size).toBe(points.length)
      }
    }
  })

  test('counts the visitors of each point if asked', async () => {
    const api = await createApi()
    await api.count(
      { minute: '2026-03-01T10:00Z', visitors: ['a', 'b'] },
      { minute: '2026-03-01T20:00Z', visitors: ['b', 'c'] },
      { minute: '2026-03-03T20:00Z', visitors: ['a'] },
    )
    const range = 'interval=day&from=2026-03-01&to=2026-03-04'
    const { body } = await api.get(`/v1/counts/series?visitors=true&${range}`)
    expect(body.points.map(({ visitors }: { visitors: number }) => visitors)).toEqual([3, 0, 1])
    expect((await api.get(`/v1/counts/series?${range}`)).body.points[0].visitors).toBeUndefined()
    expect((await api.get('/v1/counts/top?visitors=true')).body.targets).toMatchObject([{ visitors: 3 }])
  })

  test('weeks begin on Monday or Sunday; months, quarters and years with their first day, in local time', async () => {
    const api = await createApi()
    await api.count(
      { minute: '2026-02-28T22:59Z', total: 1 },
      { minute: '2026-02-28T23:00Z', total: 10 },
      { minute: '2026-03-31T21:59Z', total: 100 },
      { minute: '2026-03-31T22:00Z', total: 1000 },
    )
    const points = async (query: string) => {
      const range = 'from=2026-02-20T00:00:00Z&to=2026-04-10T00:00:00Z'
      const { body } = await api.get(`/v1/counts/series?tz=Europe/Paris&${range}&${query}`)
      return body.points.map(({ start, end, total }: { start: string; end: string; total: number }) => [
        start.slice(0, 16),
        end.slice(0, 16),
        total,
      ])
    }
    expect(await points('interval=month')).toEqual([
      ['2026-01-31T23:00', '2026-02-28T23:00', 1],
      ['2026-02-28T23:00', '2026-03-31T22:00', 110],
      ['2026-03-31T22:00', '2026-04-30T22:00', 1000],
    ])
    expect(await points('interval=quarter')).toEqual([
      ['2025-12-31T23:00', '2026-03-31T22:00', 111],
      ['2026-03-31T22:00', '2026-06-30T22:00', 1000],
    ])
    expect(await points('interval=year')).toEqual([['2025-12-31T23:00', '2026-12-31T23:00', 1111]])
    expect((await points('interval=week'))[1]).toEqual(['2026-02-22T23:00', '2026-03-01T23:00', 11])
    expect((await points('interval=week&weekStart=sunday'))[1]).toEqual(['2026-02-21T23:00', '2026-02-28T23:00', 1])
  })

  test('every accepted zone has its real days, also zones that PostgreSQL reads as abbreviations', async () => {
    const api = await createApi()
    const midnightIn = (tz: string) => {
      const clock = new Intl.DateTimeFormat('en', { timeZone: tz, hourCycle: 'h23', timeStyle: 'medium' })
      return (start: string) => clock.format(new Date(start)) === '00:00:00'
    }
    // All names that either might accept: those of JavaScript, and every possible abbreviation.
    const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ']
    const threeLetters = letters.flatMap((a) => letters.flatMap((b) => letters.map((c) => a + b + c)))
    const isKnown = (tz: string) => {
      try {
        return new Intl.DateTimeFormat('en', { timeZone: tz }) !== undefined
      } catch {
        return false
      }
    }
    const taken: string[] = []
    for (const tz of [...threeLetters, 'EST5EDT', 'GMT0', 'Zulu', 'Japan', 'Etc/GMT+5', 'US/Pacific'].filter(isKnown)) {
      const range = 'from=2026-07-14T12:00:00Z&to=2026-07-16T12:00:00Z'
      const { status, body } = await api.get(`/v1/counts/series?interval=day&tz=${encodeURIComponent(tz)}&${range}`)
      expect([tz, status]).toEqual([tz, body.code === 'time_zone_unknown' ? 422 : 200])
      if (status !== 200) continue
      taken.push(tz)
      expect([tz, ...starts(body).filter((start) => !midnightIn(tz)(start))]).toEqual([tz])
    }
    expect(taken).toEqual(expect.arrayContaining(['CET', 'WET', 'UTC', 'EST', 'ROK', 'EST5EDT', 'Japan']))
  })

  test.each([
    ['minute', 60],
    ['hour', 24],
    ['day', 30],
    ['week', 12],
    ['month', 12],
    ['quarter', 8],
    ['year', 5],
  ])('without a range it shows the newest buckets by %s', async (interval, count) => {
    const api = await createApi()
    const { points, meta } = (await api.get(`/v1/counts/series?interval=${interval}&tz=Europe/Paris`)).body
    expect(points).toHaveLength(count)
    expect(meta.from).toBe(points[0].start)
    expect(Date.parse(meta.to)).toBeGreaterThan(Date.now() - 120_000)
  })

  test.each([
    ['', 'parameter_invalid', 'interval'],
    ['interval=second', 'parameter_invalid', 'interval'],
    ['interval=hour&tz=Mars/Olympus', 'time_zone_unknown', 'tz'],
    ['interval=hour&tz=%2B05:00', 'time_zone_unknown', 'tz'],
    // Only JavaScript accepts this, as Ho Chi Minh City.
    ['interval=hour&tz=VST', 'time_zone_unknown', 'tz'],
    ['interval=week&weekStart=friday', 'parameter_invalid', 'weekStart'],
    ['interval=hour&tz=EST5', 'time_zone_unknown', 'tz'],
    // Both accept them: as Bangladesh, India and Darwin, or as Britain, Israel and Brazil.
    ['interval=hour&tz=BST', 'time_zone_unknown', 'tz'],
    ['interval=hour&tz=ist', 'time_zone_unknown', 'tz'],
    ['interval=hour&tz=ACT', 'time_zone_unknown', 'tz'],
    ['interval=minute&from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z', 'too_many_points', 'interval'],
    ['interval=minute&visitors=true&from=2026-01-01&to=2026-01-02', 'too_many_points', 'interval'],
    ['interval=hour&visitors=yes', 'parameter_invalid', 'visitors'],
    ['interval=hour&from=2999-01-01T00:00:00Z', 'range_empty', 'from'],
  ])('refuses "%s"', async (query, code, field) => {
    const api = await createApi()
    const { status, body } = await api.get(`/v1/counts/series?${query}`)
    expect([status, body.code, body.field]).toEqual([422, code, field])
  })
})
