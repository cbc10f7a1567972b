import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { RequestsUnderWay } from '../requests-under-way.ts'

test('requests are under way until their answers are closed, in whatever order', () => {
  const underWay = new RequestsUnderWay()
  const begin = () => {
    const response = new ServerResponse(new IncomingMessage(new Socket()))
    underWay.add(response)
    return response
  }
  const [first, second, third] = [begin(), begin(), begin()]
  expect([...underWay]).toEqual([first, second, third])
  second.emit('close')
  first.emit('close')
  expect([...underWay]).toEqual([third])
  const [fourth, fifth, sixth] = [begin(), begin(), begin()]
  expect(underWay.count).toBe(4)
  expect(new Set(underWay)).toEqual(new Set([third, fourth, fifth, sixth]))
  for (const response of [third, fourth, fifth, sixth]) response.emit('close')
  expect([underWay.count, [...underWay]]).toEqual([0, []])
})
