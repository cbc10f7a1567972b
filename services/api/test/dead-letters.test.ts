import { randomUUID } from 'node:crypto'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { expect, test } from 'vitest'
import { createApi } from './api-under-test.ts'

/** An api with a letter for each of these resolutions, each with this many clicks. */
async function createApiWithLetters(resolutions: readonly (string | null)[], clicks = 1) {
  const api = await createApi()
  for (const [sequence, resolution] of resolutions.entries()) {
    await api.owner.query(
      `insert into dead_letters (producer, sequence, reason, detail, content, clicks, click_ids, click_projects, resolution, resolved_at)
       values ($1, $2, 'refused_by_database', 'secret detail', 'secret content', $3, $4, $5, $6::text, case when $6::text is not null then now() end)`,
      [
        ...[randomUUID(), sequence, clicks],
        Array.from({ length: clicks }, () => randomUuidV7(Date.now())),
        Array.from({ length: clicks }, () => 1),
        resolution,
      ],
    )
  }
  return api
}

test('lists the letters that wait, the newest first; with "all" those that are resolved too', async () => {
  const api = await createApiWithLetters([null, 'discarded', null, 'replayed'])
  const listed = async (query: string) => {
    const { body } = await api.get(`/v1/dead-letters${query}`)
    return body.letters.map(({ id, resolution }: { id: number; resolution: string | null }) => [id, resolution])
  }
  expect(await listed('')).toEqual([
    [3, null],
    [1, null],
  ])
  expect(await listed('?all=true&limit=2&before=4')).toEqual([
    [3, null],
    [2, 'discarded'],
  ])
})

test('shows reason and ids, at most 20, and nothing of the content', async () => {
  const api = await createApiWithLetters([null], 30)
  const { body } = await api.get('/v1/dead-letters')
  const [letter] = body.letters
  expect(letter).toMatchObject({ reason: 'refused_by_database', clicks: 30, resolvedAt: null })
  expect(letter.clickIds).toHaveLength(20)
  expect(JSON.stringify(body)).not.toContain('secret')
})

test.each(['limit=0', 'limit=1001', 'before=0', 'before=x', 'cell=other', 'other=1'])('refuses %s', async (query) => {
  const api = await createApiWithLetters([])
  expect((await api.get(`/v1/dead-letters?${query}`)).status).toBe(422)
})
