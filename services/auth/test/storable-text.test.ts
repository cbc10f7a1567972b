import { expect, test } from 'vitest'
import { createAuth } from './auth-under-test.ts'

const texts = { 'U+0000': 'a\0', 'half of a surrogate pair': '\ud800' }

test.each(
  Object.entries(texts).flatMap(([name, text]) => [
    [name, 'POST', '/v1/keys', { role: 'secret', label: text }, 'label'] as const,
    [name, 'POST', '/v1/public-counters', { target: text }, 'target'] as const,
    [name, 'POST', '/v1/public-counters', { label: text }, 'label'] as const,
    [name, 'PATCH', '/v1/projects/default', { dimensions: ['plan', text] }, 'dimensions'] as const,
  ]),
)('%s is refused by %s %s', async (_, method, url, body, field) => {
  const { asOwner } = await createAuth()
  const answer = await asOwner(method, url, body)
  expect(answer.body).toMatchObject({ status: 422, code: 'body_invalid', field: expect.stringContaining(field) })
})

test.each(['/v1/keys?project=%00', '/v1/public-counters?project=%00'])('U+0000 in %s is refused', async (url) => {
  const { asOwner } = await createAuth()
  expect((await asOwner('GET', url)).status).toBe(422)
})
