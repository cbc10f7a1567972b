import { readKeySnapshot } from '@clicktally/database/key-snapshot.ts'
import { expect, test } from 'vitest'
import { createAuth } from './auth-under-test.ts'

const url = 'https://shop.example/spring'

test('a link is created with a chosen or a random name, listed and deleted, and each change is in the audit log', async () => {
  const { asOwner, onKeysChanged, audit } = await createAuth()
  const chosen = await asOwner('POST', '/v1/links', { slug: 'spring', url })
  expect([chosen.status, chosen.body]).toMatchObject([
    201,
    { slug: 'spring', project: 'default', target: 'link: spring', url },
  ])
  const random = await asOwner('POST', '/v1/links', { url, target: 'poster' })
  expect(random.body).toMatchObject({ slug: expect.stringMatching(/^[a-z0-9]{12}$/), target: 'poster' })
  expect(onKeysChanged).toHaveBeenCalledTimes(2)
  const slugs = async () => (await asOwner('GET', '/v1/links')).body.links.map(({ slug }: { slug: string }) => slug)
  expect((await slugs()).sort()).toEqual(['spring', random.body.slug].sort())
  expect((await asOwner('DELETE', '/v1/links/spring')).status).toBe(204)
  expect((await asOwner('DELETE', '/v1/links/spring')).body.code).toBe('link_not_found')
  expect(onKeysChanged).toHaveBeenCalledTimes(3)
  expect(await slugs()).toEqual([random.body.slug])
  const actions = (await audit()).map(({ action, subject }) => [action, subject])
  expect(actions).toEqual(
    expect.arrayContaining([
      ['link.create', 'spring'],
      ['link.create', random.body.slug],
      ['link.delete', 'spring'],
    ]),
  )
})

test('a link is in the snapshot for the ingests, which has a new version', async () => {
  const { asOwner, db } = await createAuth()
  const before = await readKeySnapshot(db, Date.now(), { forIngest: true })
  await asOwner('POST', '/v1/links', { slug: 'spring', url: 'https://shöp.example/ä?b=ü' })
  const after = await readKeySnapshot(db, Date.now(), { forIngest: true })
  expect(after.version).toBeGreaterThan(before.version)
  expect([before.links, after.links]).toEqual([
    [],
    [
      {
        ...{ slug: 'spring', projectId: 1, target: 'link: spring' },
        // In characters that a header may have.
        url: 'https://xn--shp-tna.example/%C3%A4?b=%C3%BC',
      },
    ],
  ])
})

test.each([
  [{ url: 'shop.example' }, 422, 'url_invalid'],
  [{ url: '/l/other' }, 422, 'url_invalid'],
  [{ url: 'javascript:alert(1)' }, 422, 'url_invalid'],
  [{ url: 'data:text/html,x' }, 422, 'url_invalid'],
  [{ url: 'https://ann:pass@shop.example/' }, 422, 'url_invalid'],
  [{ url: `https://shop.example/${'ä'.repeat(1_000)}` }, 422, 'url_invalid'],
  [{ url, slug: 'No' }, 422, 'body_invalid'],
  [{ url, target: '' }, 422, 'body_invalid'],
  [{ url, project: 'nobody' }, 404, 'project_unknown'],
  [{ url, slug: 'taken' }, 409, 'slug_taken'],
])('%j is refused', async (body, status, code) => {
  const { asOwner } = await createAuth()
  await asOwner('POST', '/v1/links', { url, slug: 'taken' })
  const answer = await asOwner('POST', '/v1/links', body)
  expect([answer.status, answer.body.code]).toEqual([status, code])
})

test('a line break in a URL cannot add a header to the redirect', async () => {
  const { asOwner } = await createAuth()
  const { body } = await asOwner('POST', '/v1/links', { url: 'https://shop.example/\r\nset-cookie: a=b' })
  expect(body.url).toBe('https://shop.example/set-cookie:%20a=b')
})
