import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { LoadGenerator, type LoadOptions } from '../load-generator.ts'

async function load(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  changes: Pick<LoadOptions, 'content'> & Partial<LoadOptions>,
) {
  const server = createServer(answer)
  server.on('clientError', (_error, socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const dir = await mkdtemp(join(tmpdir(), 'clicktally-load-'))
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await rm(dir, { recursive: true })
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const generator = await LoadGenerator.find()
  const { signal } = new AbortController()
  return await generator.run({ url, connections: 16, warmUpMs: 100, measuredMs: 300, dir, signal, ...changes })
}

test('sends clicks with distinct ids, and waits for all responses', async () => {
  const ids: string[] = []
  const result = await load(
    async (request, response) => {
      const { events } = JSON.parse(await text(request)) as { events: { id: string }[] }
      ids.push(...events.map(({ id }) => id))
      response.writeHead(202).end('{}')
    },
    { content: { kind: 'clicks', clicksPerRequest: 3, seed: 1 } },
  )
  expect(result.sent).toBeGreaterThan(0)
  expect(ids).toHaveLength(result.sent * 3)
  expect(new Set(ids).size).toBe(ids.length)
  expect(result).toMatchObject({ succeeded: result.sent, failed: 0, unanswered: 0 })
})

test('counts rejected requests', async () => {
  let asked = 0
  let refused = 0
  const result = await load(
    (request, response) => {
      asked += 1
      if (asked % 3 === 0) refused += 1
      request.resume().once('end', () => response.writeHead(asked % 3 === 0 ? 503 : 202).end())
    },
    { content: { kind: 'clicks', clicksPerRequest: 1, seed: 1 }, connections: 1 },
  )
  expect(result).toMatchObject({ sent: asked, failed: refused, succeeded: asked - refused, unanswered: 0 })
})

test('counts requests without a response', async () => {
  const result = await load((request) => void request.resume(), {
    content: { kind: 'get', paths: ['/v1/counts'] },
    answersWithinMs: 200,
  })
  // At most one per connection.
  expect(result.sent).toBeGreaterThan(0)
  expect(result.sent).toBeLessThanOrEqual(16)
  expect(result).toMatchObject({ succeeded: 0, unanswered: result.sent })
})
