import { expect, it } from 'vitest'
import { createCommand, type Options } from '../options.ts'

function parse(...args: string[]): Options {
  return createCommand(['accepting', 'storing'])
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .parse(args, { from: 'user' })
    .opts<Options>()
}

it('--only rejects unknown measurements', () => {
  expect(parse('--only', 'storing,accepting').only).toEqual(['storing', 'accepting'])
  expect(() => parse('--only', 'storing,nothing')).toThrow('Unknown measurement "nothing"')
})
