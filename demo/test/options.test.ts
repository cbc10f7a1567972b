import { describe, expect, it } from 'vitest'
import { parseOptions } from '../options.ts'

describe('the options', () => {
  it('have defaults', () => {
    expect(parseOptions([])).toEqual({ url: 'http://127.0.0.1:8080/', clicks: 10_000, seed: 1, once: false })
  })

  it('are taken from the command line', () => {
    expect(parseOptions(['--log', 'a.log', '--url=https://clicks.example.com/below', '--once'])).toEqual({
      log: 'a.log',
      url: 'https://clicks.example.com/below/',
      clicks: 10_000,
      seed: 1,
      once: true,
    })
    expect(parseOptions(['--clicks', '5', '--seed', '0'])).toMatchObject({ clicks: 5, seed: 0 })
    expect(parseOptions(['--help'])).toBe('help')
  })

  it('are all named where they are wrong', () => {
    const parse = () => parseOptions(['--clicks', '1.5', '--seed', '-1', '--url', 'clicks', '--log', ''])
    expect(parse).toThrow("Option '--seed' argument is ambiguous")
    const parseWithValues = () => parseOptions(['--clicks=1.5', '--seed=-1', '--url=ftp://x', '--log='])
    expect(parseWithValues).toThrow(/--clicks 1\.5.*\n--seed -1.*\n--log: .*\n--clicks and --seed .*\n--url ftp:\/\/x/)
    expect(() => parseOptions(['a.log'])).toThrow("Unexpected argument 'a.log'")
  })
})
