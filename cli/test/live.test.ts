import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Readable } from 'node:stream'
import { keys } from '@clicktally/api/test/api-under-test.ts'
import { createLiveBench, createLiveClick, publishLive } from '@clicktally/api/test/live-under-test.ts'
import { expect, onTestFinished, test } from 'vitest'
import { streamEvents } from '../reading/event-stream.ts'
import { runCli, startCli } from './cli-under-test.ts'

test('live prints clicks as they are counted', async () => {
  const { broker, baseUrl } = await createLiveBench()
  const { process: child, ended } = startCli(['live', '--prefix', 'blog/', '--count', '2'], {
    ...{ PATH: process.env.PATH, CLICKTALLY_URL: baseUrl, CLICKTALLY_KEY: keys.read.text },
  })
  // The first notice says that it is connected.
  await once(child.stderr as Readable, 'data')
  const at = { occurredAtMs: Date.parse('2026-11-21T10:00:00.500Z') }
  await publishLive(broker, [
    createLiveClick({ target: 'shop' }),
    createLiveClick({ target: 'blog/1', ...at }),
    createLiveClick({ target: 'blog/\n2', bot: true, ...at }),
  ])
  expect(await ended).toMatchObject({
    ...{ code: 0, stderr: 'Clicks are printed as they are counted. Ctrl-C ends.\n' },
    stdout: '2026-11-21 10:00:00Z  blog/1\n2026-11-21 10:00:00Z  blog/\ufffd2  (bot)\n',
  })
})

test('live goes on where the connection broke, and says so', async () => {
  const lastIds: unknown[] = []
  const click = (id: string) =>
    `event: click\nid: ${id}\ndata: ${JSON.stringify({ ...createLiveClick({ target: id }), occurredAt: '2026-11-21T10:00:00Z' })}\n\n`
  const answers = [
    (response: ServerResponse) => {
      response.write(`event: heartbeat\nid: 1.a\ndata: {}\n\n${click('2.b')}`, () => response.destroy())
    },
    (response: ServerResponse) => response.end(`event: gap\nid: 3.c\ndata: {"reason":"missed"}\n\n${click('4.d')}`),
  ]
  const server = createServer((request, response) => {
    lastIds.push(request.headers['last-event-id'])
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    answers.shift()?.(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { code, stdout, stderr } = await runCli(['live', '--count', '2', '--json'], {
    ...{ CLICKTALLY_URL: url, CLICKTALLY_KEY: keys.read.text },
  })
  expect(code).toBe(0)
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).target),
  ).toEqual(['2.b', '4.d'])
  expect(lastIds).toEqual([undefined, '2.b'])
  expect(stderr).toMatch(
    /^Clicks are printed as they are counted\. Ctrl-C ends\.\nThe stream was interrupted: .+\nClicks may be missing here\. They are counted all the same\.\n$/,
  )
})

test('a key that may not read is refused in a sentence', async () => {
  const { baseUrl } = await createLiveBench()
  const variables = { CLICKTALLY_URL: baseUrl, CLICKTALLY_KEY: keys.write.text }
  expect(await runCli(['live'], variables)).toMatchObject({ code: 1, stderr: expect.stringContaining('right') })
})

test('events are read from chunks that are cut anywhere', async () => {
  const text =
    'retry: 2000\n\nevent: click\nid: 1\ndata: {"target":"ä: 😀"}\n\ndata: x\n\nevent: click\ndata: unfinished'
  async function* chunks(bytes: number) {
    const all = new TextEncoder().encode(text)
    for (let start = 0; start < all.length; start += bytes) yield all.subarray(start, start + bytes)
  }
  for (const bytes of [1, 2, 7, 1_000]) {
    expect(await Array.fromAsync(streamEvents(chunks(bytes)))).toEqual([
      { event: 'click', id: '1', data: '{"target":"ä: 😀"}' },
      { event: 'message', id: undefined, data: 'x' },
    ])
  }
})
