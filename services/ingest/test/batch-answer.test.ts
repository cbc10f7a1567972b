import type { Click } from '@clicktally/event/click.ts'
import { rejection } from '@clicktally/event/click-rejection.ts'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { BatchResult } from '@clicktally/operations/write-operations.ts'
import { Compile } from 'typebox/compile'
import { expect, test } from 'vitest'
import { BatchAnswer } from '../request/batch-answer.ts'

const nowMs = Date.UTC(2026, 10, 21, 10)
const schema = Compile(BatchResult)

function clickOf(id: string): Click {
  return { id, projectId: 1, target: 't', occurredAtMs: nowMs, receivedAtMs: nowMs, requestId: 'r' }
}

test('the response to a batch matches the schema, with the results in the order of the events', () => {
  const [first, last] = [randomUuidV7(nowMs), randomUuidV7(nowMs)]
  const answer = new BatchAnswer()
  answer.accept({ click: clickOf(first) })
  answer.reject('"\\\n\u{1F5B1}', rejection('invalid_field', 'props."a"', '"props."a"" is odd.'), nowMs)
  answer.reject(null, rejection('too_old', 'occurredAt'), nowMs)
  answer.accept({ click: clickOf(last), warning: 'occurred_at_clamped' })
  const read: unknown = JSON.parse(answer.toString())
  expect(schema.Check(read)).toBe(true)
  expect(read).toEqual({
    accepted: 2,
    rejected: 2,
    results: [
      { index: 0, id: first, status: 'accepted' },
      {
        index: 1,
        id: '"\\\n\u{1F5B1}',
        status: 'rejected',
        code: 'invalid_field',
        detail: '"props."a"" is odd.',
        field: 'props."a"',
      },
      {
        index: 2,
        id: null,
        status: 'rejected',
        code: 'too_old',
        detail: expect.stringContaining('backfill'),
        field: 'occurredAt',
        serverTime: '2026-11-21T10:00:00.000Z',
      },
      { index: 3, id: last, status: 'accepted', warning: 'occurred_at_clamped' },
    ],
  })
  expect(answer.accepted).toBe(2)
})

test('the response to a batch of rejected events counts none as accepted', () => {
  const answer = new BatchAnswer()
  answer.reject(null, rejection('not_json'), nowMs)
  expect(JSON.parse(answer.toString())).toMatchObject({ accepted: 0, rejected: 1, results: [{ index: 0, id: null }] })
})
