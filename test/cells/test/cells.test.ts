import { createOwnBroker } from '@clicktally/testing/own-broker.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { createTestBroker } from '@clicktally/testing/test-broker.ts'
import { expect, test, vi } from 'vitest'
import { ClickSender } from '../click-sender.ts'
import { createCells, type Installation } from '../installation.ts'

test('each project is counted in its cell alone, exactly once, and the api and the balance know which', async () => {
  const cells = await createCells(await createTestBroker())
  const { home, eu } = cells
  await home.startProcessor()
  const killed = await eu.startProcessor()
  expect(await cells.manage('POST', '/v1/projects', { name: 'shop', cell: 'eu' })).toMatchObject({
    status: 201,
    body: { name: 'shop', cell: 'eu' },
  })
  const [ofDefault, ofShop] = await Promise.all([startSender(cells, 'default'), startSender(cells, 'shop')])
  await vi.waitFor(() => expect(ofShop.accepted.size).toBeGreaterThan(300), patience)
  // Clicks of the other cell are counted meanwhile.
  await killed.kill()
  await eu.startProcessor()
  await vi.waitFor(() => expect(ofShop.accepted.size).toBeGreaterThan(600), patience)
  await Promise.all([ofDefault.stop(), ofShop.stop()])

  const totalOf = async (project: string) => (await cells.read(`/v1/counts?project=${project}`)).body.total
  await vi.waitFor(async () => expect(await totalOf('default')).toBe(ofDefault.accepted.size), patience)
  await vi.waitFor(async () => expect(await totalOf('shop')).toBe(ofShop.accepted.size), patience)
  expect(await home.tally(1)).toEqual({ ids: ofDefault.accepted, counted: ofDefault.accepted.size })
  expect(await eu.tally(2)).toEqual({ ids: ofShop.accepted, counted: ofShop.accepted.size })
  expect((await home.tally(2)).ids.size + (await eu.tally(1)).ids.size).toBe(0)

  const [id] = ofShop.accepted
  expect((await cells.read(`/v1/events/${id}?project=shop`)).body).toMatchObject({ id, status: 'counted' })
  expect((await cells.read(`/v1/events/${id}`)).body).toMatchObject({ id, status: 'not_seen' })
  const { body: listed } = await cells.read('/v1/events?project=shop&limit=1&personal=true')
  expect(listed.clicks[0].visitorId).toMatch(/^v/)
  const { body: top } = await cells.read('/v1/counts/top?project=shop&limit=1000')
  const sum = top.targets.reduce((total: number, target: { total: number }) => total + target.total, 0)
  expect(sum).toBe(ofShop.accepted.size)
  await vi.waitFor(async () => {
    const { body: balance } = await cells.read('/v1/balance')
    const counted = { home: ofDefault.accepted.size, eu: ofShop.accepted.size }
    expect(balance).toMatchObject({ status: 'current', inFlight: 0, overdue: 0, counted: counted.home + counted.eu })
    expect(balance.accepted).toBe(balance.counted + balance.duplicates)
    // Those that were sent again, and perhaps more: a batch whose answer was lost is sent again, too.
    expect(balance.duplicates).toBeGreaterThanOrEqual(ofDefault.repeats + ofShop.repeats)
    expect(balance.cells).toMatchObject([
      { cell: 'home', status: 'current', counted: counted.home, inFlight: 0 },
      { cell: 'eu', status: 'current', counted: counted.eu, inFlight: 0 },
    ])
  }, patience)
  for (const cell of ['home', 'eu'])
    expect((await cells.read(`/v1/dead-letters?cell=${cell}`)).body).toEqual({ letters: [] })
  expect((await cells.read('/v1/dead-letters?cell=us')).body).toMatchObject({
    ...{ status: 422, code: 'parameter_invalid', field: 'cell' },
    detail: '"cell" is "us". There is no such cell here, only home, eu.',
  })
})

test('a cell whose broker is killed refuses its clicks meanwhile, loses none, and takes nothing from the others', async () => {
  const cells = await createCells(await createOwnBroker())
  const { home, eu } = cells
  await Promise.all([home.startProcessor(), eu.startProcessor()])
  await cells.manage('POST', '/v1/projects', { name: 'shop', cell: 'eu' })
  const [ofDefault, ofShop] = await Promise.all([startSender(cells, 'default'), startSender(cells, 'shop')])
  await vi.waitFor(() => expect(Math.min(ofDefault.accepted.size, ofShop.accepted.size)).toBeGreaterThan(200), patience)

  // Perhaps some before the keys had arrived at ingest.
  const refusalsBefore = [...ofDefault.refusals]
  eu.broker.kill()
  await vi.waitFor(() => expect([...ofShop.refusals.keys()]).toContain('broker_unavailable'), patience)
  const acceptedAtKill = { home: ofDefault.accepted.size, eu: ofShop.accepted.size }
  expect(await cells.ingest.readiness()).toBe(200)
  await vi.waitFor(() => expect(ofDefault.accepted.size).toBeGreaterThan(acceptedAtKill.home + 200), patience)
  await vi.waitFor(() => expect(ofShop.accepted.size).toBeGreaterThan(acceptedAtKill.eu + 200), patience)
  await Promise.all([ofDefault.stop(), ofShop.stop()])

  expect([...ofDefault.refusals]).toEqual(refusalsBefore)
  await vi.waitFor(async () => {
    const { body: balance } = await cells.read('/v1/balance')
    expect(balance).toMatchObject({ status: 'current', inFlight: 0, overdue: 0, dead: 0 })
  }, patience)
  expect(await home.tally(1)).toEqual({ ids: ofDefault.accepted, counted: ofDefault.accepted.size })
  expect(await eu.tally(2)).toEqual({ ids: ofShop.accepted, counted: ofShop.accepted.size })
})

test('an ingest that does not know the cell of a project refuses its clicks, and sends none elsewhere', async () => {
  const cells = await createCells(await createTestBroker())
  await cells.manage('POST', '/v1/projects', { name: 'shop', cell: 'eu' })
  const key = await cells.keyOf('shop')
  const ignorant = await cells.startIngest({ CELL_BROKER_URLS: '' })
  await ignorant.untilReady()
  // Until the key has arrived the answer is 401.
  await vi.waitFor(async () => {
    const response = await fetch(`${ignorant.url}/v1/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ target: 'button' }),
    })
    expect([response.status, await response.json()]).toMatchObject([503, { code: 'cell_unknown', retryable: true }])
  }, patience)
  expect(await cells.home.broker.depth()).toBe(0)
})

test('owners and processors agree: what a project declares is copied to the other cells', async () => {
  const cells = await createCells(await createTestBroker())
  const inCell = () =>
    cells.eu.ask<{ name: string; dimensions: string[]; keep_raw_days: number | null; cell: string }>(
      'select name, dimensions, keep_raw_days, cell from projects where id > 1 order by id',
    )
  await cells.manage('POST', '/v1/projects', { name: 'shop', cell: 'eu', dimensions: ['plan'] })
  await cells.manage('POST', '/v1/projects', { name: 'blog' })
  await vi.waitFor(async () => {
    expect(await inCell()).toEqual([
      { name: 'shop', dimensions: ['plan'], keep_raw_days: null, cell: 'eu' },
      { name: 'blog', dimensions: [], keep_raw_days: null, cell: 'home' },
    ])
  }, patience)
  await cells.manage('PATCH', '/v1/projects/shop', { name: 'store' })
  await cells.manage('PATCH', '/v1/projects/blog', { name: 'shop', keepRawDays: 30 })
  await cells.manage('PATCH', '/v1/projects/store', { name: 'blog', dimensions: ['tier'] })
  await vi.waitFor(async () => {
    expect(await inCell()).toEqual([
      { name: 'blog', dimensions: ['tier'], keep_raw_days: null, cell: 'eu' },
      { name: 'shop', dimensions: [], keep_raw_days: 30, cell: 'home' },
    ])
  }, patience)
  expect(await cells.manage('POST', '/v1/projects', { name: 'wiki', cell: 'us' })).toMatchObject({
    status: 422,
    body: { code: 'cell_unknown', field: 'cell' },
  })
})

async function startSender({ ingest, keyOf }: Installation, project: string): Promise<ClickSender> {
  const sender = new ClickSender(() => ingest.url, await keyOf(project))
  sender.start()
  return sender
}
