import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { ClickLoad, type SentClick } from '../click-load.ts'

/** For what hangs: a second, the default, is over in no time on a busy machine. */
const patience = { timeout: 120_000, interval: 10 }

type Answer = (clicks: SentClick[], response: ServerResponse, path: string) => void

/** A server that answers as it is told, in place of an ingest: it is the load that is tested here. */
async function startDoor(answer: Answer): Promise<string> {
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

test('what is not accepted is sent again with the same id, to the next door, until it is', async () => {
  const tries = new Map<string, string[]>()
  const note = (door: string, code: number): Answer => {
    return ([click], response) => {
      const id = click?.id ?? ''
      tries.set(id, [...(tries.get(id) ?? []), door])
      response.writeHead(code).end()
    }
  }
  const doors = [await startDoor(note('closed', 503)), await startDoor(note('open', 202))]
  const load = new ClickLoad({ doors, targets: ['button'], connections: 1 })
  await vi.waitFor(() => expect(load.accepted).toBeGreaterThan(5), patience)
  const { accepted, sent, answers } = await load.stop()
  expect([...sent.keys()]).toEqual([...accepted])
  expect(answers['503']).toBeGreaterThan(0)
  expect([...tries.values()].every((each) => each.at(-1) === 'open' && each.length <= 2)).toBe(true)
})

test('a client that gives up has sent its clicks, but they are not accepted', async () => {
  const load = new ClickLoad({
    doors: [await startDoor(status(503))],
    targets: ['button'],
    connections: 1,
    giveUpEvery: 1,
  })
  await vi.waitFor(() => expect(load.failures).toBeGreaterThan(5), patience)
  const { accepted, sent } = await load.stop()
  expect([accepted.size, sent.size > 5]).toEqual([0, true])
})

test('single clicks and batches go on their own routes, and every click of a batch is remembered', async () => {
  const sizes: Record<string, Set<number>> = {}
  const door = await startDoor((clicks, response, path) => {
    sizes[path] = (sizes[path] ?? new Set()).add(clicks.length)
    response.writeHead(202).end()
  })
  const load = new ClickLoad({ doors: [door], targets: ['a', 'b'], connections: 2, batchEvery: 3, batchClicks: 7 })
  await vi.waitFor(() => expect(load.accepted).toBeGreaterThan(30), patience)
  const { accepted, sent } = await load.stop()
  expect(sizes).toEqual({ '/v1/events': new Set([1]), '/v1/events/batch': new Set([7]) })
  expect(accepted.size).toBe(sent.size)
  expect(new Set(sent.values())).toEqual(new Set(['a', 'b']))
})

test('a paused load sends nothing, and goes on when it is told to', async () => {
  let requests = 0
  const door = await startDoor((_, response) => {
    requests += 1
    response.writeHead(202).end()
  })
  const load = new ClickLoad({ doors: [door], targets: ['button'], connections: 4 })
  await vi.waitFor(() => expect(requests).toBeGreaterThan(5), patience)
  await load.pause()
  const before = requests
  expect(load.accepted).toBe(load.sent)
  // Another client's request, so that those of the load would have come before it.
  await load.attempt(load.newClicks(1))
  expect(requests).toBe(before + 1)
  load.resume()
  await vi.waitFor(() => expect(requests).toBeGreaterThan(before + 5), patience)
  await load.stop()
})

test('it is noted when each door accepts what was sent since a moment', async () => {
  let isOpen = false
  const doors = [
    await startDoor(status(202)),
    await startDoor((_, response) => response.writeHead(isOpen ? 202 : 503).end()),
  ]
  const load = new ClickLoad({ doors, targets: ['button'], connections: 2 })
  const watch = load.watchDoors()
  await vi.waitFor(() => expect([...watch.acceptedAtMs.keys()]).toEqual([doors[0]]), patience)
  isOpen = true
  await vi.waitFor(() => expect(watch.acceptedAtMs.size).toBe(2), patience)
  await load.stop()
  expect(watch.acceptedAtMs.get(doors[1] ?? '')).toBeGreaterThan(watch.sinceMs)
})

test('targets are followed by new ones, each with so many clicks, and whoever asks is told what was accepted', async () => {
  const told: string[] = []
  const load = new ClickLoad({
    doors: [await startDoor(status(202))],
    targets: ['a', 'b'],
    connections: 1,
    clicksPerTarget: 3,
    onAccepted: (clicks) => told.push(...clicks.map(({ id }) => id)),
  })
  await vi.waitFor(() => expect(load.accepted).toBeGreaterThan(12), patience)
  const { sent, accepted } = await load.stop()
  const targets = [...sent.values()]
  expect(new Set(targets.slice(0, 6))).toEqual(new Set(['a', 'b']))
  expect(targets.slice(6, 12).sort()).toEqual(['a.1', 'a.1', 'a.1', 'b.1', 'b.1', 'b.1'])
  expect(told).toEqual([...accepted])
})
