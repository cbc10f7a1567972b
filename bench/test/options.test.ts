import { describe, expect, it } from 'vitest'
import { commandOf, parseOptions } from '../options.ts'

const names = ['accepting', 'storing']

describe("the benchmark's options", () => {
  it('are all measurements in their full form, written nowhere, when nothing is said', () => {
    expect(parseOptions([], names)).toEqual({ only: undefined, short: false, list: false, write: false, help: false })
  })

  it('name the measurements to make', () => {
    expect(parseOptions(['--only', 'storing,accepting', '--short'], names).only).toEqual(['storing', 'accepting'])
    expect(() => parseOptions(['--only', 'storing,nothing'], names)).toThrow('There is no measurement "nothing".')
  })

  it('that do not exist are refused, with what to ask for', () => {
    expect(() => parseOptions(['--fast'], names)).toThrow('npm run bench -- --help')
  })

  it('can be written down as they would be typed', () => {
    expect(commandOf(parseOptions([], names))).toBe('npm run bench')
    expect(commandOf(parseOptions(['--write', '--only', 'storing', '--short'], names))).toBe(
      'npm run bench -- --short --only storing --write',
    )
  })
})
