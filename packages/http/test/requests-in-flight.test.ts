import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { RequestsInFlight } from '../requests-in-flight.ts'

test('requests are in flight until their responses are closed, in any order', () => {
  const inFlight = new RequestsInFlight()
  const begin = () => {
    const response = new ServerResponse(new IncomingMessage(new Socket()))
    inFlight.add(response)
    return response
  }
  const [first, second, third] = [begin(), begin(), begin()]
  expect([...inFlight]).toEqual([first, second, third])
  second.emit('close')
  first.emit('close')
  expect([...inFlight]).toEqual([third])
  const [fourth, fifth, sixth] = [begin(), begin(), begin()]
  expect(inFlight.count).toBe(4)
  expect(new Set(inFlight)).toEqual(new Set([third, fourth, fifth, sixth]))
  for (const response of [third, fourth, fifth, sixth]) response.emit('close')
  expect([inFlight.count, [...inFlight]]).toEqual([0, []])
})
