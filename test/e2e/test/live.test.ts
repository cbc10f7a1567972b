import { rm } from 'node:fs/promises'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { defaultNginxSettings } from '@clicktally/local/servers/nginx-settings.ts'
import { type System, startSystem } from '@clicktally/local/system.ts'
import { type EventStream, openEventStream } from '@clicktally/testing/event-stream.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'

let dir: string
let system: System

beforeAll(async () => {
  dir = await makeScratchFolder('live')
  const nginx = { ...defaultNginxSettings, readsAtOnce: 2 }
  system = await startSystem({ dir, port: 0, ingests: 1, processors: 2, nginx, onLine: () => {} })
})

afterAll(async () => {
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

const withKey = () => ({ authorization: `Bearer ${system.ownerKey}` })

async function watch(target: string, headers: Record<string, string> = {}): Promise<EventStream> {
  const url = new URL(`/v1/live?target=${target}`, system.baseUrl)
  const live = await openEventStream(url.href, { ...withKey(), ...headers })
  onTestFinished(() => live.close())
  return live
}

/** @returns the id of the click, or undefined if it was not accepted */
async function click(target: string): Promise<string | undefined> {
  const response = await fetch(new URL('/v1/events', system.baseUrl), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...withKey() },
    body: JSON.stringify({ target }),
  })
  const { id } = (await response.json()) as { id: string }
  return response.status === 202 ? id : undefined
}

const idsIn = ({ events }: EventStream) => events.flatMap(({ event, data }) => (event === 'click' ? [data.id] : []))

describe('the live clicks', () => {
  test('arrive through nginx, soon after their 202', async () => {
    const live = await watch('soon')
    expect([live.status, live.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
    const delaysMs: number[] = []
    for (let sent = 0; sent < 20; sent += 1) {
      const id = await click('soon')
      const acceptedAtMs = performance.now()
      await vi.waitFor(() => expect(idsIn(live)).toContain(id), { ...patience, interval: 1 })
      delaysMs.push(performance.now() - acceptedAtMs)
    }
    const median = delaysMs.sort((a, b) => a - b)[10] as number
    expect(median).toBeLessThan(300)
  })

  test('are resumed after a restart of the api, without a gap', async () => {
    const live = await watch('restarted')
    await click('restarted')
    await vi.waitFor(() => expect(idsIn(live)).toHaveLength(1), patience)
    const api = system.services.get('api')?.program
    await api?.stop()
    await live.ended
    const missed = await click('restarted')
    await api?.start()
    expect(await api?.ready(patience.timeout)).toBe(true)
    const again = await vi.waitFor(async () => {
      const next = await watch('restarted', { 'last-event-id': live.events.at(-1)?.id ?? '' })
      expect(next.status).toBe(200)
      return next
    }, patience)
    await vi.waitFor(() => expect(idsIn(again)).toEqual([missed]), patience)
    expect(again.events.filter(({ event }) => event === 'gap')).toEqual([])
  })

  test('are refused beyond the limit of viewers at one address, which limits no other request', async () => {
    const statuses = (await Promise.all([watch('a'), watch('b'), watch('c')])).map(({ status }) => status)
    expect(statuses.sort()).toEqual([200, 200, 429])
    const { status } = await fetch(new URL('/v1/counts', system.baseUrl), { headers: withKey() })
    expect(status).toBe(200)
  })

  test('go on after RabbitMQ was killed: what was counted is shown, or there is a gap', async () => {
    const live = await watch('killed')
    const accepted: (string | undefined)[] = [await click('killed')]
    await vi.waitFor(() => expect(idsIn(live)).toHaveLength(1), patience)
    const rabbitmq = system.services.get('rabbitmq')?.program
    rabbitmq?.kill()
    await vi.waitFor(async () => {
      accepted.push(await click('killed'))
      expect(accepted.at(-1)).toBeDefined()
    }, patience)
    // The connection from the viewer to the api was not lost. Clicks that are counted before the processor publishes again are in a gap.
    const before = accepted.length
    await vi.waitFor(
      async () => {
        accepted.push(await click('killed'))
        const shown = new Set<string | undefined>(idsIn(live))
        expect(accepted.slice(before).some((id) => id !== undefined && shown.has(id))).toBe(true)
      },
      { ...patience, interval: 200 },
    )
    const gaps = live.events.filter(({ event }) => event === 'gap')
    const missing = accepted.filter((id) => id !== undefined && !idsIn(live).includes(id))
    expect([missing.length > 0, gaps.length === 0]).not.toEqual([true, true])
    expect(new Set(idsIn(live)).size).toBe(idsIn(live).length)
  })
})
