import { rm } from 'node:fs/promises'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { Problem } from '@clicktally/local/problem.ts'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startDesigns } from '../accepting/contest.ts'
import type { Design, DesignStart } from '../accepting/designs.ts'
import type { Measurement, Section } from '../measurement.ts'
import { runSuite, type SuiteOptions, troubleOf } from '../suite.ts'
import type { BenchSystem } from '../system/bench-system.ts'

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
    onProgress: () => {},
    onOutcome: () => {},
    ...changes,
  })
}

describe('the suite', () => {
  it('continues after a measurement that fails, and states why it failed', async () => {
    const needsSystem = measurement('first', async (stage) => {
      await stage.system()
      return section
    })
    const outcomes = await run([needsSystem, measurement('second')])
    expect(outcomes.map(({ failure }) => failure)).toEqual(['no system here', undefined])
    expect(troubleOf(outcomes)).toEqual(['first failed: no system here'])
  })

  it('fails with a void figure', async () => {
    const outcomes = await run([measurement('first', async () => ({ ...section, voided: ['one click too many'] }))])
    expect(troubleOf(outcomes)).toEqual(['first is void: one click too many'])
  })

  it('stops when it is aborted', async () => {
    const abort = new AbortController()
    const begun: string[] = []
    const first = measurement('first', async () => {
      begun.push('first')
      abort.abort(new Problem('stopped'))
      throw new Error('a consequence of the abort')
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
  const start = (starts: DesignStart[]) =>
    startDesigns(starts, {} as BenchSystem, { dir: '', signal: new AbortController().signal })
  const design = (name: string): Design => ({
    name,
    url: '',
    pid: () => undefined,
    servers: () => ({}),
    stop: async () => void stopped.push(name),
  })

  it('are left out if the machine lacks a program, with the reason', async () => {
    const noRedis = () => Promise.reject(new Problem('Redis is not on PATH.\nInstall it.'))
    const { designs, missing } = await start([() => design('one'), noRedis, () => design('two')])
    expect(designs.map(({ name }) => name)).toEqual(['one', 'two'])
    expect(missing).toEqual(['Redis is not on PATH.'])
  })

  it('are stopped in reverse order if one fails', async () => {
    const broken = () => Promise.reject(new Error('no port'))
    await expect(start([() => design('one'), () => design('two'), broken])).rejects.toThrow('no port')
    expect(stopped).toEqual(['two', 'one'])
  })
})
