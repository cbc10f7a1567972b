import { array, assert, boolean, integer, property } from 'fast-check'
import { expect, test } from 'vitest'
import { HostChoice } from '../host-choice.ts'

const urls = (count: number) => Array.from({ length: count }, (_, index) => `amqp://h${index}`)
const clusterUrl = (count: number) =>
  `amqp://${urls(count)
    .map((url) => url.slice('amqp://'.length))
    .join(',')}`
const counts = integer({ min: 1, max: 16 })

test('every host is tried before one is tried twice, whatever worked before', () => {
  assert(
    property(counts, array(boolean(), { maxLength: 40 }), (count, before) => {
      const choice = new HostChoice(clusterUrl(count))
      for (const worked of before) choice[worked ? 'worked' : 'failed'](choice.next())
      const tried = urls(count).map(() => {
        const url = choice.next()
        choice.failed(url)
        return url
      })
      expect(tried.toSorted()).toEqual(urls(count).toSorted())
    }),
  )
})

test('a host that works is kept, until it fails', () => {
  assert(
    property(integer({ min: 2, max: 16 }), array(boolean(), { maxLength: 40 }), (count, before) => {
      const choice = new HostChoice(clusterUrl(count))
      for (const worked of before) choice[worked ? 'worked' : 'failed'](choice.next())
      const url = choice.next()
      choice.worked(url)
      expect(choice.next()).toBe(url)
      choice.failed(url)
      expect(choice.next()).not.toBe(url)
    }),
  )
})

test('processes begin at different hosts', () => {
  const firsts = new Set(
    Array.from({ length: 16 }, (_, index) => new HostChoice(clusterUrl(4), () => index / 16).next()),
  )
  expect(firsts.size).toBeGreaterThan(1)
})
