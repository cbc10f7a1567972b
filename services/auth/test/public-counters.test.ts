import { expect, test } from 'vitest'
import { createAuth } from './auth-under-test.ts'

const url = '/v1/public-counters'

test('a public counter is created with a chosen or a random name, listed, and deleted, and each change is in the audit log', async () => {
  const auth = await createAuth()
  const chosen = await auth.asOwner('POST', url, {
    slug: 'signups',
    target: 'signup-button',
    days: 30,
    label: 'sign-ups',
  })
  expect([chosen.status, chosen.body]).toMatchObject([
    201,
    { slug: 'signups', project: 'default', target: 'signup-button', days: 30, label: 'sign-ups' },
  ])
  const random = await auth.asOwner('POST', url, {})
  expect(random.body).toMatchObject({
    slug: expect.stringMatching(/^[a-z0-9]{12}$/),
    target: null,
    days: null,
    label: 'clicks',
  })
  const slugs = async (query = '') =>
    (await auth.asOwner('GET', url + query)).body.publicCounters.map(({ slug }: { slug: string }) => slug)
  expect((await slugs()).sort()).toEqual(['signups', random.body.slug].sort())
  expect(await slugs('?project=nobody')).toEqual([])
  expect((await auth.asOwner('DELETE', `${url}/signups`)).status).toBe(204)
  expect(await slugs()).toEqual([random.body.slug])
  const actions = (await auth.audit()).map(({ action, subject }) => [action, subject])
  expect(actions).toEqual(
    expect.arrayContaining([
      ['public-counter.create', 'signups'],
      ['public-counter.create', random.body.slug],
      ['public-counter.delete', 'signups'],
    ]),
  )
})

test.each([
  [{ slug: 'No' }, 422, 'body_invalid'],
  [{ slug: 'a/b' }, 422, 'body_invalid'],
  [{ slug: '-ab' }, 422, 'body_invalid'],
  [{ target: '' }, 422, 'body_invalid'],
  [{ target: 'a\0' }, 422, 'body_invalid'],
  [{ label: 'a\nb' }, 422, 'body_invalid'],
  [{ days: 0 }, 422, 'body_invalid'],
  [{ project: 'nobody' }, 404, 'project_unknown'],
  [{ slug: 'taken' }, 409, 'slug_taken'],
])('%j is refused', async (body, status, code) => {
  const auth = await createAuth()
  await auth.asOwner('POST', url, { slug: 'taken' })
  const answer = await auth.asOwner('POST', url, body)
  expect([answer.status, answer.body.code]).toEqual([status, code])
})

test('an unknown one cannot be deleted', async () => {
  const auth = await createAuth()
  const { status, body } = await auth.asOwner('DELETE', `${url}/nobody`)
  expect([status, body.code]).toEqual([404, 'public_counter_not_found'])
})
