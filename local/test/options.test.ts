import { describe, expect, test } from 'vitest'
import { createCommand } from '../options.ts'

function parse(...args: string[]) {
  return createCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .parse(args, { from: 'user' })
    .opts()
}

describe('the options of npm start', () => {
  test('default to one instance of each service behind the port of the settings', () => {
    expect(parse()).toEqual({ ingests: 1, processors: 1, observability: false })
  })

  test('set the port and the number of instances', () => {
    expect(parse('--processors', '4', '--ingests=2', '--port', '9000', '--observability')).toEqual({
      port: 9000,
      ingests: 2,
      processors: 4,
      observability: true,
    })
  })

  test('are rejected when unknown', () => {
    expect(() => parse('--procesors', '3')).toThrow(/unknown option '--procesors'.*--processors/s)
    expect(() => parse('3')).toThrow('too many arguments')
  })

  test.each([['--processors='], ['--processors=1.5'], ['--processors=0x2'], ['--processors=0'], ['--processors=17']])(
    'are rejected when out of range: %s',
    (argument) => {
      expect(() => parse(argument)).toThrow('Expected a whole number from 1 to 16')
    },
  )
})
