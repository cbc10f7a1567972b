import { rm } from 'node:fs/promises'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clicktally, type DesignStart, designNames, noBroker, perClickConfirm } from '../accepting/designs.ts'
import type { Section, Stage } from '../measurement.ts'
import { type AcceptingScale, allDesigns, measureSingle } from '../measurements/accepting.ts'
import { BenchSystem } from '../system/bench-system.ts'

let dir: string
let system: BenchSystem

beforeAll(async () => {
  dir = await makeScratchFolder('bench')
  system = await BenchSystem.start({ dir })
})

afterAll(async () => {
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

const smallest: AcceptingScale = {
  connections: [8],
  rounds: 2,
  roundsUntilCounted: 2,
  // On a busy machine, each connection may get only one request in this time, so that one must count.
  rampUpMs: 0,
  measuredMs: 100,
  warmUpMs: 200,
}

function stage(): Stage {
  return {
    short: true,
    rounds: 1,
    dir,
    signal: new AbortController().signal,
    progress: () => {},
    system: async () => system,
  }
}

/** Clicks/s by design. */
function acceptedOf(section: Section): Record<string, number> {
  const [table] = section.tables
  const column = table?.columns.findIndex(({ name }) => name === 'accepted') ?? -1
  return Object.fromEntries((table?.rows ?? []).map(({ name, cells }) => [name, cells[column]?.[0] ?? 0]))
}

describe('accepting, in the smallest form', () => {
  it('has figures for every design, each of which kept what it accepted', async () => {
    const section = await measureSingle(stage(), smallest, allDesigns)
    expect(section.voided).toEqual([])
    expect(acceptedOf(section)).toEqual(
      Object.fromEntries(Object.values(designNames).map((name) => [name, expect.any(Number)])),
    )
    for (const accepted of Object.values(acceptedOf(section))) expect(accepted).toBeGreaterThan(0)
    expect(section.verdicts.map(({ target }) => target)).toEqual(expect.arrayContaining(['cpu256', 'cpu64']))
  })

  it('is void if accepted clicks are not counted', async () => {
    const acceptsOnly: DesignStart = async (...args) => ({
      ...(await noBroker(...args)),
      ...{ name: designNames.clicktally, own: true },
    })
    const section = await measureSingle(stage(), smallest, [acceptsOnly])
    expect(section.voided).toEqual([expect.stringMatching(/^\d+ clicks were accepted, 0 stored and 0 counted$/)])
    expect(section.tables[0]?.rows[0]?.voided).toBe(section.voided[0])
  })

  it('is void if another design keeps less than it accepted', async () => {
    const forgetful: DesignStart = async (...args) => {
      const design = await perClickConfirm(...args)
      return { ...design, kept: async (expected: number) => ((await design.kept?.(expected)) ?? 0) - 1 }
    }
    const section = await measureSingle(stage(), smallest, [clicktally, forgetful])
    expect(section.voided).toEqual([
      expect.stringMatching(/^one confirm per click answered 202 to \d+ clicks and kept \d+$/),
    ])
    const [own, other] = section.tables[0]?.rows ?? []
    expect(own?.voided).toBeUndefined()
    expect(other?.voided).toBe(section.voided[0])
  })
})
