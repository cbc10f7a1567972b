import { ServiceProblem } from '@clicktally/http/service-problem.ts'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { ScanSlots } from '../scan/scan-slots.ts'

/** Scans that end when they are told to. */
class Scans {
  readonly slots = new ScanSlots(1)
  /** The names of those that began. */
  readonly begun: string[] = []
  /** The names of those that were refused, and why. */
  readonly refused: string[] = []
  #running: PromiseWithResolvers<void>[] = []

  add(projectId: number, name: string): void {
    const scan = () => {
      this.begun.push(name)
      const each = Promise.withResolvers<void>()
      this.#running.push(each)
      return each.promise
    }
    this.slots.run(projectId, scan).catch((error) => {
      this.refused.push(`${name}: ${error instanceof ServiceProblem ? error.problem.code : error}`)
    })
  }

  /** Ends the one that has run for longest. */
  async end(error?: Error): Promise<void> {
    const each = this.#running.shift()
    if (error === undefined) each?.resolve()
    else each?.reject(error)
    await vi.advanceTimersByTimeAsync(0)
  }
}

describe('of the scans that wait', () => {
  beforeEach(() => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
  })

  test('those of a project run in order, one after the other, also when one fails', async () => {
    const scans = new Scans()
    for (const name of ['a', 'b', 'c']) scans.add(1, name)
    expect(scans.begun).toEqual(['a'])
    await scans.end(new Error('failed'))
    expect(scans.begun).toEqual(['a', 'b'])
    await scans.end()
    await scans.end()
    expect(scans.begun).toEqual(['a', 'b', 'c'])
    scans.add(1, 'd')
    expect(scans.begun).toEqual(['a', 'b', 'c', 'd'])
    expect(scans.refused).toEqual(['a: Error: failed'])
  })

  test('projects take turns, however many questions one of them asks', async () => {
    const scans = new Scans()
    for (const name of ['a1', 'a2', 'a3', 'a4']) scans.add(1, name)
    for (const name of ['b1', 'b2']) scans.add(2, name)
    scans.add(3, 'c1')
    for (let ended = 0; ended < 7; ended += 1) await scans.end()
    expect(scans.begun).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4'])
  })

  test('at most 50 of a project wait', async () => {
    const scans = new Scans()
    for (let each = 0; each <= 51; each += 1) scans.add(1, `a${each}`)
    scans.add(2, 'b')
    await vi.advanceTimersByTimeAsync(0)
    expect(scans.refused).toEqual(['a51: questions_busy'])
    for (let ended = 0; ended < 52; ended += 1) await scans.end()
    expect(scans.begun.toSorted()).toEqual([...Array.from({ length: 51 }, (_, each) => `a${each}`), 'b'].toSorted())
  })

  test('one that has waited for 7 s is refused, and never runs', async () => {
    const scans = new Scans()
    scans.add(1, 'running')
    scans.add(1, 'early')
    await vi.advanceTimersByTimeAsync(6_999)
    scans.add(1, 'late')
    expect(scans.refused).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(scans.refused).toEqual(['early: questions_busy'])
    await scans.end()
    // What has begun is not interrupted.
    await vi.advanceTimersByTimeAsync(60_000)
    await scans.end()
    scans.add(1, 'next')
    expect(scans.begun).toEqual(['running', 'late', 'next'])
    expect(scans.refused).toEqual(['early: questions_busy'])
  })
})
