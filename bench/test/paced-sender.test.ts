import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { sendPaced } from '../paced-sender.ts'
import { percentile } from '../samples.ts'

const signal = new AbortController().signal

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const accept: RequestListener = (request, response) => {
  request.resume().once('end', () => response.writeHead(202, { 'content-length': 2 }).end('{}'))
}

describe('the paced sender', () => {
  it('sends as many as were asked for, each click with an id of its own', async () => {
    const url = await serve(accept)
    const options = { url, requestsPerSecond: 500, durationMs: 400, clicksPerRequest: 3, connections: 4, signal }
    const { latenciesMs, acceptedIds, sentClicks, answers, unsent } = await sendPaced(options)
    expect(latenciesMs).toHaveLength(200)
    expect(new Set(acceptedIds).size).toBe(600)
    expect(sentClicks).toBe(600)
    expect(answers).toEqual({ 202: 200 })
    expect(unsent).toBe(0)
  })

  it('counts a pause of the server for every click that fell into it', async () => {
    let pausedUntilMs: number | undefined
    const url = await serve((request, response) => {
      pausedUntilMs ??= performance.now() + 300
      setTimeout(() => accept(request, response), Math.max(0, pausedUntilMs - performance.now()))
    })
    const options = { url, requestsPerSecond: 100, durationMs: 400, connections: 2, signal }
    const { latenciesMs, mostWaited } = await sendPaced(options)
    expect(latenciesMs).toHaveLength(40)
    // Those planned in the first 150 ms waited for 150 ms or more, though only two of them were sent.
    expect(latenciesMs.filter((ms) => ms > 145).length).toBeGreaterThanOrEqual(14)
    expect(mostWaited).toBeGreaterThan(10)
    expect(percentile(latenciesMs, 1)).toBeGreaterThan(250)
  })

  it('bounds what waits, and says what it did not send', async () => {
    const url = await serve((request, response) => setTimeout(() => accept(request, response), 200))
    const options = { url, requestsPerSecond: 200, durationMs: 300, connections: 1, mostWaiting: 5, signal }
    const { latenciesMs, unsent } = await sendPaced(options)
    expect(unsent).toBeGreaterThan(20)
    expect(latenciesMs.length + unsent).toBe(60)
  })

  it('goes on over a new connection when one was closed', async () => {
    const url = await serve((request, response) => {
      response.setHeader('connection', 'close')
      accept(request, response)
    })
    const { answers } = await sendPaced({ url, requestsPerSecond: 100, durationMs: 200, connections: 1, signal })
    expect(answers).toEqual({ 202: 20 })
  })
})
