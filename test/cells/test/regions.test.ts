import { patience } from '@clicktally/testing/patience.ts'
import { TcpProxy } from '@clicktally/testing/tcp-proxy.ts'
import { createTestBroker } from '@clicktally/testing/test-broker.ts'
import { expect, onTestFinished, test, vi } from 'vitest'
import { ClickSender } from '../click-sender.ts'
import { createInstallation } from '../installation.ts'
import { startService } from '../service.ts'

test('a region goes on accepting while it is cut off, asOf stands still meanwhile, and afterwards every click is counted once', async () => {
  const region = await createTestBroker()
  const wide = await proxyTo(region.url)
  const throughProxy = async (user: 'auth' | 'processor') => wide.through(await region.urlAs(user))
  const centre = await createInstallation({ auth: { REGION_BROKER_URLS: `us=${await throughProxy('auth')}` } })
  const { broker, database, tally } = centre.home
  await centre.home.startProcessor()
  const startProcessor = async () =>
    await startService('processor', {
      ...{ BROKER_URL: await throughProxy('processor'), REGION: 'us', DATABASE_URL: database.processorUrl },
      LIVE_BROKER_URL: await broker.urlAs('processor'),
    })
  const first = await startProcessor()
  const inRegion = await startService('ingest', { BROKER_URL: await region.urlAs('ingest') })
  await Promise.all([first.untilReady(), inRegion.untilReady()])

  const key = await centre.keyOf('default')
  const senders = [inRegion, centre.ingest].map((ingest) => new ClickSender(() => ingest.url, key))
  const [far, near] = senders as [ClickSender, ClickSender]
  for (const sender of senders) sender.start()
  const counts = async () => (await centre.read('/v1/counts')).body as { total: number; meta: { asOf: string | null } }
  await vi.waitFor(async () => expect((await counts()).total).toBeGreaterThan(400), patience)
  await vi.waitFor(async () => expect((await counts()).meta.asOf).not.toBeNull(), patience)

  wide.proxy.silence()
  const cutAtMs = Date.now()
  const acceptedAtCut = far.accepted.size
  const countedAtCut = near.accepted.size
  // Perhaps some before the key had arrived there.
  const refusalsAtCut = [...far.refusals]
  // A processor that is killed while it is cut off, and one that starts then, change nothing.
  await first.kill()
  await vi.waitFor(() => expect(far.accepted.size).toBeGreaterThan(acceptedAtCut + 400), patience)
  await vi.waitFor(async () => expect((await counts()).total).toBeGreaterThan(countedAtCut + 400), patience)
  // Longer than a processor of the centre takes to take over from one that is gone.
  await vi.waitFor(() => expect(Date.now() - cutAtMs).toBeGreaterThan(10_000), patience)
  const cutOff = await counts()
  expect(Date.parse(cutOff.meta.asOf as string)).toBeLessThan(cutAtMs)
  expect((await centre.read('/v1/balance')).body.status).toBe('stale')
  expect([...far.refusals]).toEqual(refusalsAtCut)

  wide.proxy.resume()
  wide.proxy.cut()
  await startProcessor()
  await vi.waitFor(() => expect(far.accepted.size).toBeGreaterThan(acceptedAtCut + 800), patience)
  await Promise.all(senders.map((sender) => sender.stop()))
  const sentBy = Date.now()
  const all = new Set([...far.accepted, ...near.accepted])
  expect(all.size).toBe(far.accepted.size + near.accepted.size)
  await vi.waitFor(async () => {
    const { total, meta } = await counts()
    expect(Date.parse(meta.asOf ?? '')).toBeGreaterThan(sentBy)
    expect(total).toBe(all.size)
  }, patience)
  expect(await tally(1)).toEqual({ ids: all, counted: all.size })
  await vi.waitFor(async () => {
    const { body: balance } = await centre.read('/v1/balance')
    expect(balance).toMatchObject({ status: 'current', counted: all.size, inFlight: 0, overdue: 0, dead: 0 })
    expect(balance.accepted).toBe(balance.counted + balance.duplicates)
    expect(balance.duplicates).toBeGreaterThanOrEqual(far.repeats + near.repeats)
  }, patience)
})

async function proxyTo(url: string) {
  const { hostname, port } = new URL(url)
  const proxy = await TcpProxy.open({ host: hostname, port: Number(port) })
  onTestFinished(() => proxy.close())
  const through = (text: string) =>
    Object.assign(new URL(text), { hostname: '127.0.0.1', port: String(proxy.port) }).href
  return { proxy, through }
}
