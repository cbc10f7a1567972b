import { rm } from 'node:fs/promises'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { expect, it, onTestFinished } from 'vitest'
import { measureStoring } from '../measurements/storing.ts'
import { BenchSystem } from '../system/bench-system.ts'

it('storing, in the smallest form, has valid figures for everything that is compared', async () => {
  const dir = await makeScratchFolder('bench')
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const { signal } = new AbortController()
  const system = await BenchSystem.start({ dir })
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
