import { describe, expect, it } from 'vitest'
import { createCommand } from '../options.ts'

function parse(...args: string[]) {
  return createCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .parse(args, { from: 'user' })
    .opts()
}

describe('the options of the demo', () => {
  it('have defaults', () => {
    expect(parse()).toEqual({ url: 'http://127.0.0.1:8080/', clicks: 10_000, seed: 1, once: false })
  })

  it('are read from the command line', () => {
    expect(parse('--log', 'a.log', '--url=https://clicks.example.com/below', '--once')).toEqual({
      log: 'a.log',
      url: 'https://clicks.example.com/below/',
      clicks: 10_000,
      seed: 1,
      once: true,
    })
    expect(parse('--clicks', '5', '--seed', '0')).toMatchObject({ clicks: 5, seed: 0 })
  })

  it.each([
    ['--clicks=1.5', 'Expected a whole number from 1 to 100000000'],
    ['--seed=-1', 'Expected a whole number from 0 to 4294967295'],
    ['--url=ftp://x', 'Expected a base URL'],
    ['--log=', 'Expected the path of a file'],
    ['a.log', 'too many arguments'],
  ])('are rejected when invalid: %s', (argument, message) => {
    expect(() => parse(argument)).toThrow(message)
  })

  it('reject a number or a seed of synthetic clicks together with a log', () => {
    expect(() => parse('--log', 'a.log', '--seed', '2')).toThrow(/'--log <file>' cannot be used with .*'--seed/)
  })
})
