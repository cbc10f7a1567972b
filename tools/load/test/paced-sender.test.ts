import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { sendPaced } from '../paced-sender.ts'

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
  it('sends all requests, each click with its own id', async () => {
    const ids: string[] = []
    const url = await serve(async (request, response) => {
      const { events } = JSON.parse(await text(request)) as { events: { id: string }[] }
      ids.push(...events.map(({ id }) => id))
      response.writeHead(202, { 'content-length': 2 }).end('{}')
    })
    const options = { url, requestsPerSecond: 500, durationMs: 400, clicksPerRequest: 3, connections: 4, signal }
    const { latenciesMs, acceptedClicks, sentClicks, answers, unsent } = await sendPaced(options)
    expect(latenciesMs).toHaveLength(200)
    expect(new Set(ids).size).toBe(600)
    expect(acceptedClicks).toBe(600)
    expect(sentClicks).toBe(600)
    expect(answers).toEqual({ 202: 200 })
    expect(unsent).toBe(0)
  })

  it('includes a pause of the server in the latency of every click that falls into it', async () => {
    let pausedUntilMs: number | undefined
    const url = await serve((request, response) => {
      pausedUntilMs ??= performance.now() + 300
      setTimeout(() => accept(request, response), Math.max(0, pausedUntilMs - performance.now()))
    })
    const options = { url, requestsPerSecond: 100, durationMs: 400, connections: 2, signal }
    const { latenciesMs, mostWaited } = await sendPaced(options)
    expect(latenciesMs).toHaveLength(40)
    // Requests scheduled in the first 150 ms waited for at least 150 ms, although only two of them were sent.
    expect(latenciesMs.filter((ms) => ms > 145).length).toBeGreaterThanOrEqual(14)
    expect(mostWaited).toBeGreaterThan(10)
    expect(latenciesMs.at(-1)).toBeGreaterThan(250)
  })

  it('limits the number of waiting requests, and counts those that it does not send', async () => {
    const url = await serve((request, response) => setTimeout(() => accept(request, response), 200))
    const options = { url, requestsPerSecond: 200, durationMs: 300, connections: 1, maxWaiting: 5, signal }
    const { latenciesMs, unsent } = await sendPaced(options)
    expect(unsent).toBeGreaterThan(20)
    expect(latenciesMs.length + unsent).toBe(60)
  })

  it('continues over a new connection when the server closes one', async () => {
    const url = await serve((request, response) => {
      response.setHeader('connection', 'close')
      accept(request, response)
    })
    const { answers } = await sendPaced({ url, requestsPerSecond: 100, durationMs: 200, connections: 1, signal })
    expect(answers).toEqual({ 202: 20 })
  })
})
