import { describe, expect, test } from 'vitest'
import { createApi } from './api-under-test.ts'

const minuteAgo = (days: number) => `${new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 16)}Z`

/** An api with clicks of today, of 40 days ago, and of another project, and a way to make counters public. */
async function createPublicApi() {
  const api = await createApi()
  const [today, before] = [minuteAgo(0), minuteAgo(40)]
  await api.count(
    { minute: today, target: 'button', total: 3, bots: 5 },
    { minute: before, target: 'button', total: 4 },
  )
  await api.count({ minute: today, target: 'other', total: 1_000 })
  const publish = (slug: string, target: string | null, days: number | null = null, label = 'clicks') =>
    api.owner.query('insert into public_counters (slug, project_id, target, days, label) values ($1, 1, $2, $3, $4)', [
      ...[slug, target, days, label],
    ])
  const get = (url: string, headers = {}) => api.app.inject({ url, headers })
  return { ...api, publish, get }
}

describe('a public counter', () => {
  test('counts a target, all targets, or the last days, for anyone and for pages of every origin', async () => {
    const { publish, get } = await createPublicApi()
    await publish('one-target', 'button', null, 'presses')
    await publish('last-days', 'button', 30)
    await publish('everything', null)
    await publish('no-clicks', 'nothing')
    const one = await get('/c/one-target.json', {
      origin: 'https://anywhere.example',
      authorization: 'Bearer nonsense',
    })
    expect([one.statusCode, one.json()]).toEqual([200, { total: 7, label: 'presses', days: null }])
    expect(one.headers).toMatchObject({
      ...{ 'access-control-allow-origin': '*', 'cache-control': 'public, max-age=10', 'x-accel-expires': '10' },
      'content-type': 'application/json; charset=utf-8',
    })
    expect(one.headers.vary).toBeUndefined()
    const totals = ['last-days', 'everything', 'no-clicks'].map(
      async (slug) => (await get(`/c/${slug}.json`)).json().total,
    )
    expect(await Promise.all(totals)).toEqual([3, 1_007, 0])
  })

  test('is answered 304 until it changes', async () => {
    const { publish, get, count } = await createPublicApi()
    await publish('one-target', 'button')
    for (const url of ['/c/one-target.json', '/c/one-target.svg']) {
      const etag = String((await get(url)).headers.etag)
      expect((await get(url, { 'if-none-match': etag })).statusCode).toBe(304)
      expect((await get(url, { 'if-none-match': `"x", W/${etag}` })).statusCode).toBe(304)
      await count({ minute: minuteAgo(0), target: 'button' })
      expect((await get(url, { 'if-none-match': etag })).statusCode).toBe(200)
    }
  })

  test('that does not exist is answered 404, whether or not there is such a target', async () => {
    const { get } = await createPublicApi()
    const answers = await Promise.all(['/c/button.json', '/c/nothing.json', '/c/button.svg'].map((url) => get(url)))
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([404, 404, 404])
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1)
  })
})

describe('a badge', () => {
  test('shows label and count in the given colours', async () => {
    const { publish, get } = await createPublicApi()
    await publish('everything', null)
    const { statusCode, headers, body } = await get('/c/everything.svg?label=seen&color=brightgreen&labelColor=123abc')
    expect([statusCode, headers['content-type']]).toEqual([200, 'image/svg+xml; charset=utf-8'])
    expect(body).toContain('aria-label="seen: 1,007"')
    expect([...body.matchAll(/fill="(#\w+)"\/>/g)].map(([, color]) => color)).toEqual(['#fff', '#123abc', '#4c1'])
    expect((await get('/c/everything.svg')).body).toContain('aria-label="clicks: 1,007"')
  })

  test.each([
    '</text><script>alert(1)</script>',
    '" onload="alert(1)',
    `'&<>"]]>`,
    '&lt;script&gt;',
    '\u202e\ufffe\ud800 ünï 漢字 😀',
  ])('is an image without script or broken XML whatever the label is: %s', async (label) => {
    const { publish, get } = await createPublicApi()
    await publish('everything', null)
    const { statusCode, body } = await get(`/c/everything.svg?label=${encodeURIComponent(label.toWellFormed())}`)
    expect(statusCode).toBe(200)
    // Its elements and attributes are those that the badge has with any label.
    const structure = (svg: string) =>
      [...svg.matchAll(/<[^>]*>/g)].map(([tag]) => tag.replace(/"[^"]*"/g, '""').replace(/&\w+;/g, ''))
    expect(structure(body)).toEqual(structure((await get('/c/everything.svg')).body))
    // No & that does not begin an entity, and no character that XML does not have.
    expect(body).not.toMatch(/&(?!(amp|lt|gt|quot|#39);)/)
    expect(body).not.toMatch(/[^\x20-\ufffd\u{10000}-\u{10ffff}]|\p{Cs}/u)
  })

  test.each(['color=red;x', 'color=%22', 'labelColor=url(%23a)', 'color=constructor', 'label=%00', 'colour=red'])(
    'refuses the option %s',
    async (option) => {
      const { publish, get } = await createPublicApi()
      await publish('everything', null)
      expect((await get(`/c/everything.svg?${option}`)).statusCode).toBe(422)
    },
  )
})
