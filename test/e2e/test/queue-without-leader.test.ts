import { rm } from 'node:fs/promises'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { rabbitmqctl } from '@clicktally/local/servers/rabbitmq.ts'
import type { RunningService } from '@clicktally/local/services/service-launch.ts'
import { type System, startSystem } from '@clicktally/local/system.ts'
import type { ClickBalance } from '@clicktally/operations/read-operations.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'

let dir: string
let system: System
const lines: string[] = []

beforeAll(async () => {
  dir = await makeScratchFolder('leader')
  system = await startSystem({ dir, port: 0, ingests: 1, processors: 1, onLine: (line) => lines.push(line) })
})

afterAll(async () => {
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

function service(name: string): RunningService {
  const found = system.services.get(name)
  if (found === undefined) throw new Error(`there is no ${name}`)
  return found
}

const withKey = () => ({ authorization: `Bearer ${system.ownerKey}` })

async function send(): Promise<number> {
  const response = await fetch(new URL('/v1/events', system.baseUrl), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...withKey() },
    body: '{"target":"t"}',
  })
  await response.arrayBuffer()
  return response.status
}

async function balance(): Promise<ClickBalance> {
  return (await (await fetch(new URL('/v1/balance', system.baseUrl), { headers: withKey() })).json()) as ClickBalance
}

async function readiness(): Promise<{ status: string; reason?: string }> {
  return (await (await fetch(`http://127.0.0.1:${service('ingest-1').port}/readyz`)).json()) as { status: string }
}

test('when a queue has no leader, the balance becomes stale, and RabbitMQ is restarted automatically', async () => {
  const broker = service('rabbitmq').program
  const client = new Client({ connectionString: system.postgresUrl })
  await client.connect()
  // The balance can only become stale after the first report.
  await vi.waitFor(async () => expect((await balance()).status).toBe('current'), patience)
  // Clicks that are accepted and cannot be counted …
  await client.query('begin; lock table clicks in share row exclusive mode')
  const clicks = 20
  for (let click = 0; click < clicks; click += 1) expect(await send()).toBe(202)
  const acceptedAt = Date.now()
  let counted = false
  let misled: ClickBalance | undefined
  const watching = (async () => {
    while (!counted) {
      const answer = await balance().catch(() => undefined)
      if (answer?.knownThrough && Date.parse(answer.knownThrough) > acceptedAt && answer.counted < clicks)
        misled ??= answer
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })()
  try {
    // … in a queue that is down.
    await rabbitmqctl(broker, ['eval', "ra:stop_server(quorum_queues, {'%2F_clicks', node()})."])
    await vi.waitFor(async () => expect((await readiness()).status).toBe('not_ready'), patience)
    await vi.waitFor(async () => expect((await balance()).status).toBe('stale'), patience)

    // The system recovers by itself.
    await vi.waitFor(() => expect(broker.restarts).toBe(1), patience)
    expect(lines.join('\n')).toContain('rabbitmq was killed because the queue "clicks" has no leader')
    await vi.waitFor(async () => expect(await readiness()).toEqual({ status: 'ready' }), patience)
    await client.query('rollback')
    await vi.waitFor(
      async () => expect(await balance()).toMatchObject({ status: 'current', counted: clicks, inFlight: 0 }),
      patience,
    )
  } finally {
    counted = true
    await watching
    await client.end()
  }
  expect(misled).toBeUndefined()
})
