import { rm } from 'node:fs/promises'
import { Problem } from '@clicktally/local/problem.ts'
import { makeScratchFolder } from '@clicktally/local/scratch-folder.ts'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Design } from '../design.ts'
import { startDesigns } from '../design-start.ts'
import type { Measurement, Section } from '../measurement.ts'
import { runSuite, type SuiteOptions, troubleOf } from '../suite.ts'

const section: Section = { title: '', about: [], tables: [], verdicts: [], voided: [] }

function measurement(name: string, run: Measurement['run'] = async () => section): Measurement {
  return { name, title: name, run }
}

async function run(measurements: Measurement[], changes: Partial<SuiteOptions> = {}) {
  const dir = await makeScratchFolder('suite')
  onTestFinished(async () => await rm(dir, { recursive: true }))
  return await runSuite({
    measurements,
    short: true,
    dir,
    signal: new AbortController().signal,
    startSystem: () => Promise.reject(new Problem('no system here')),
    onStanding: () => {},
    onOutcome: () => {},
    ...changes,
  })
}

describe('the suite', () => {
  it('goes on after a measurement that fails, and says why it did', async () => {
    const needsSystem = measurement('first', async (stage) => {
      await stage.system()
      return section
    })
    const outcomes = await run([needsSystem, measurement('second')])
    expect(outcomes.map(({ failure }) => failure)).toEqual(['no system here', undefined])
    expect(troubleOf(outcomes)).toEqual(['first was broken off: no system here'])
  })

  it('counts a void figure as trouble', async () => {
    const outcomes = await run([measurement('first', async () => ({ ...section, voided: ['one click too many'] }))])
    expect(troubleOf(outcomes)).toEqual(['first is void: one click too many'])
  })

  it('ends when it is told to, and begins nothing more', async () => {
    const abort = new AbortController()
    const begun: string[] = []
    const first = measurement('first', async () => {
      begun.push('first')
      abort.abort(new Problem('stopped'))
      throw new Error('whatever follows from that')
    })
    const second = measurement('second', async () => {
      begun.push('second')
      return section
    })
    await expect(run([first, second], { signal: abort.signal })).rejects.toThrow('stopped')
    expect(begun).toEqual(['first'])
  })
})

describe('designs', () => {
  const stopped: string[] = []
  const design = (name: string): Design => ({
    name,
    url: '',
    pid: () => undefined,
    behind: () => [],
    stop: async () => void stopped.push(name),
  })

  it('that this machine can not have are left out, and it is said why', async () => {
    const noRedis = () => Promise.reject(new Problem('Redis is not on PATH.\nInstall it.'))
    const { designs, missing } = await startDesigns([() => design('one'), noRedis, () => design('two')])
    expect(designs.map(({ name }) => name)).toEqual(['one', 'two'])
    expect(missing).toEqual(['Redis is not on PATH.'])
  })

  it('are stopped again, the last first, when one fails', async () => {
    const broken = () => Promise.reject(new Error('no port'))
    await expect(startDesigns([() => design('one'), () => design('two'), broken])).rejects.toThrow('no port')
    expect(stopped).toEqual(['two', 'one'])
  })
})
