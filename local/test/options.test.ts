import { describe, expect, test } from 'vitest'
import { parseOptions } from '../options.ts'
import { Problem } from '../problem.ts'

describe('the options of npm start', () => {
  test('are one of each service behind port 8080 when none is given', () => {
    expect(parseOptions([])).toEqual({ port: 8080, ingests: 1, processors: 1, help: false })
  })

  test('scale each service and choose the port, with a blank or an equals sign', () => {
    expect(parseOptions(['--processors', '4', '--ingests=2', '--port', '9000'])).toEqual({
      port: 9000,
      ingests: 2,
      processors: 4,
      help: false,
    })
  })

  test('are refused all at once, each by its name', () => {
    expect(() => parseOptions(['--procesors', '3', '--port', '70000', '--ingests=0'])).toThrow(Problem)
    expect(() => parseOptions(['--procesors', '3', '--port', '70000', '--ingests=0'])).toThrow(
      /--procesors is not known.*--port must be a number from 1 to 65535.*--ingests must be/s,
    )
  })

  test.each([
    ['--processors'],
    ['--processors='],
    ['--processors', '1.5'],
    ['--processors', '0x2'],
    ['--processors', '17'],
  ])('are refused when %s %s is no sensible number', (...args) => {
    expect(() => parseOptions(args)).toThrow(/--processors must be a number from 1 to 16/)
  })
})
