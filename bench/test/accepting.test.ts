import { rm } from 'node:fs/promises'
import { makeScratchFolder } from '@clicktally/local/scratch-folder.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StartedSystem } from '../bench-system.ts'
import { clicktally, designNames, noBroker, perClickConfirm } from '../designs.ts'
import type { Section, Stage } from '../measurement.ts'
import { type AcceptingScale, measureAccepting } from '../measurements/accepting.ts'

let dir: string
let system: StartedSystem

beforeAll(async () => {
  dir = await makeScratchFolder('bench')
  system = await StartedSystem.start({ dir })
})

afterAll(async () => {
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

const smallest: AcceptingScale = {
  loads: [{ connections: 8 }],
  rounds: 2,
  roundsUntilCounted: 2,
  measuredMs: 100,
  // Each connection's first request counts: on a busy machine there may be no second one in so short a time.
  firstWarmUpMs: 0,
  warmUpMs: 0,
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

/** Clicks a second by design. */
function acceptedOf(section: Section): Record<string, number> {
  const [table] = section.tables
  const column = table?.columns.findIndex(({ name }) => name === 'accepted') ?? -1
  return Object.fromEntries((table?.rows ?? []).map(({ name, cells }) => [name, cells[column]?.[0] ?? 0]))
}

describe('accepting, in its smallest form', () => {
  it('has every design keep what it accepted, and gives each its figures', async () => {
    const section = await measureAccepting(stage(), smallest)
    expect(section.voided).toEqual([])
    expect(acceptedOf(section)).toEqual(
      Object.fromEntries(Object.values(designNames).map((name) => [name, expect.any(Number)])),
    )
    for (const accepted of Object.values(acceptedOf(section))) expect(accepted).toBeGreaterThan(0)
    expect(section.verdicts.map(({ target }) => target)).toEqual(expect.arrayContaining(['cpu256', 'cpu64']))
  })

  it('is void where what was accepted is not counted', async () => {
    const answersOnly = async () => ({ ...(await noBroker(stage())), name: designNames.clicktally, own: true })
    const section = await measureAccepting(stage(), smallest, [answersOnly])
    expect(section.voided).toEqual([expect.stringMatching(/^\d+ clicks were accepted, 0 stored and 0 counted$/)])
    expect(section.tables[0]?.rows[0]?.voided).toBe(section.voided[0])
  })

  it('is void where another design keeps less than it answered', async () => {
    const forgetful = async () => {
      const design = await perClickConfirm(system, stage())
      return { ...design, kept: async (expected: number) => ((await design.kept?.(expected)) ?? 0) - 1 }
    }
    const section = await measureAccepting(stage(), smallest, [() => clicktally(system), forgetful])
    expect(section.voided).toEqual([
      expect.stringMatching(/^a confirm for each click answered 202 to \d+ clicks and kept \d+$/),
    ])
    const [own, other] = section.tables[0]?.rows ?? []
    expect(own?.voided).toBeUndefined()
    expect(other?.voided).toBe(section.voided[0])
  })
})
