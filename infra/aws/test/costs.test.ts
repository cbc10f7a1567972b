import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { costTables, edgeCost } from '../costs.ts'

test('a click takes as many bytes as in the model of capacity', () => {
  const [own, model] = ['../costs.ts', '../../../tools/capacity/costs.ts'].map((file) => {
    const text = readFileSync(join(import.meta.dirname, file), 'utf8')
    return /(?:bytesOfClick = |bytesPerClick: )(\d+)/.exec(text)?.[1]
  })
  assert.ok(own)
  assert.equal(own, model)
})

test('docs/aws.md has the costs as they are computed', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/aws.md'), 'utf8')
  assert.ok(text.includes(costTables()), 'copy the output of `npm run aws -- costs` into docs/aws.md')
  for (const size of ['small', 'medium', 'large'] as const) {
    assert.match(text, new RegExp(`\\$${edgeCost(size)} for ${size}`))
  }
})
