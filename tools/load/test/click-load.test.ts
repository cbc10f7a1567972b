import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { ClickLoad, type SentClick } from '../click-load.ts'

/** The default of a second is too short on a busy machine. */
const patience = { timeout: 300_000, interval: 10 }

type Answer = (clicks: SentClick[], response: ServerResponse, path: string) => void

/** Starts a server that replaces an ingest. */
async function startEndpoint(answer: Answer): Promise<string> {
  const server = createServer(async (request, response) => {
    const body = JSON.parse((await request.toArray()).join(''))
    answer(body.events ?? [body], response, request.url ?? '')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function status(code: number): Answer {
  return (_, response) => response.writeHead(code).end()
}

test('a click is retried with the same id at the next endpoint until it is accepted', async () => {
  const tries = new Map<string, string[]>()
  const note = (endpoint: string, code: number): Answer => {
    return ([click], response) => {
      const id = click?.id ?? ''
      tries.set(id, [...(tries.get(id) ?? []), endpoint])
      response.writeHead(code).end()
    }
  }
  const endpoints = [await startEndpoint(note('closed', 503)), await startEndpoint(note('open', 202))]
  const load = new ClickLoad({ endpoints, targets: ['button'], connections: 1 })
  await vi.waitFor(() => expect(load.accepted).toBeGreaterThan(5), patience)
  const { accepted, sent, answers } = await load.stop()
  expect([...sent.keys()]).toEqual([...accepted])
  expect(answers['503']).toBeGreaterThan(0)
  expect([...tries.values()].every((each) => each.at(-1) === 'open' && each.length <= 2)).toBe(true)
})

test('clicks of a client that gives up are sent but not accepted', async () => {
  const load = new ClickLoad({
    endpoints: [await startEndpoint(status(503))],
    targets: ['button'],
    connections: 1,
    giveUpEvery: 1,
  })
  await vi.waitFor(() => expect(load.failures).toBeGreaterThan(5), patience)
  const { accepted, sent } = await load.stop()
  expect([accepted.size, sent.size > 5]).toEqual([0, true])
})

test('single clicks and batches use their own routes, and every click of a batch is recorded', async () => {
  const sizes: Record<string, Set<number>> = {}
  const endpoint = await startEndpoint((clicks, response, path) => {
    sizes[path] = (sizes[path] ?? new Set()).add(clicks.length)
    response.writeHead(202).end()
  })
  const load = new ClickLoad({
    endpoints: [endpoint],
    targets: ['a', 'b'],
    connections: 2,
    batchEvery: 3,
    batchClicks: 7,
  })
  await vi.waitFor(() => expect(load.accepted).toBeGreaterThan(30), patience)
  const { accepted, sent } = await load.stop()
  expect(sizes).toEqual({ '/v1/events': new Set([1]), '/v1/events/batch': new Set([7]) })
  expect(accepted.size).toBe(sent.size)
  expect(new Set(sent.values())).toEqual(new Set(['a', 'b']))
})

test('a paused load sends nothing until it is resumed', async () => {
  let requests = 0
  const endpoint = await startEndpoint((_, response) => {
    requests += 1
    response.writeHead(202).end()
  })
  const load = new ClickLoad({ endpoints: [endpoint], targets: ['button'], connections: 4 })
  await vi.waitFor(() => expect(requests).toBeGreaterThan(5), patience)
  await load.pause()
  const before = requests
  expect(load.accepted).toBe(load.sent)
  // A request of the load that was still in progress would arrive before this one.
  await load.attempt(load.newClicks(1))
  expect(requests).toBe(before + 1)
  load.resume()
  await vi.waitFor(() => expect(requests).toBeGreaterThan(before + 5), patience)
  await load.stop()
})

test('records when each endpoint first accepts a click sent after a given time', async () => {
  let isOpen = false
  const endpoints = [
    await startEndpoint(status(202)),
    await startEndpoint((_, response) => response.writeHead(isOpen ? 202 : 503).end()),
  ]
  const load = new ClickLoad({ endpoints, targets: ['button'], connections: 2 })
  const watch = load.watchEndpoints()
  await vi.waitFor(() => expect([...watch.acceptedAtMs.keys()]).toEqual([endpoints[0]]), patience)
  isOpen = true
  await vi.waitFor(() => expect(watch.acceptedAtMs.size).toBe(2), patience)
  await load.stop()
  expect(watch.acceptedAtMs.get(endpoints[1] ?? '')).toBeGreaterThan(watch.sinceMs)
})

test('uses new targets after the given number of clicks, and reports accepted clicks', async () => {
  const reported: string[] = []
  const load = new ClickLoad({
    endpoints: [await startEndpoint(status(202))],
    targets: ['a', 'b'],
    connections: 1,
    clicksPerTarget: 3,
    onAccepted: (clicks) => reported.push(...clicks.map(({ id }) => id)),
  })
  await vi.waitFor(() => expect(load.accepted).toBeGreaterThan(12), patience)
  const { sent, accepted } = await load.stop()
  const targets = [...sent.values()]
  expect(new Set(targets.slice(0, 6))).toEqual(new Set(['a', 'b']))
  expect(targets.slice(6, 12).sort()).toEqual(['a.1', 'a.1', 'a.1', 'b.1', 'b.1', 'b.1'])
  expect(reported).toEqual([...accepted])
})
