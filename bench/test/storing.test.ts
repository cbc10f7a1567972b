import { rm } from 'node:fs/promises'
import { makeScratchFolder } from '@clicktally/local/scratch-folder.ts'
import { expect, it, onTestFinished } from 'vitest'
import { StartedSystem } from '../bench-system.ts'
import { measureStoring } from '../measurements/storing.ts'

it('storing, in its smallest form, measures all who are compared and finds nothing wrong', async () => {
  const dir = await makeScratchFolder('bench')
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const { signal } = new AbortController()
  const system = await StartedSystem.start({ dir })
  onTestFinished(() => system.stop())
  const shares: number[] = []

  const { tables, verdicts, voided } = await measureStoring(
    {
      ...{ short: true, rounds: 1, dir, signal },
      progress: (_, share) => shares.push(share),
      system: async () => system,
    },
    { main: 30_000, variant: 20_000, rowByRow: 400 },
  )

  expect(voided).toEqual([])
  expect(tables[0]?.rows.map(({ cells }) => (cells[0]?.[0] ?? 0) > 0)).toEqual([true, true, true, true, true])
  expect(verdicts.map(({ target, samples }) => [target, samples.length])).toEqual([
    ['storingCopy', 1],
    ['storingRowByRow', 1],
  ])
  expect(shares).toEqual(shares.toSorted((a, b) => a - b))
})
