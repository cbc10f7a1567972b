import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { childEnvironment } from '@clicktally/local/services/child-environment.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { createTestBroker } from '@clicktally/testing/test-broker.ts'
import { expect, test, vi } from 'vitest'
import { ClickSender } from '../click-sender.ts'
import { createCells } from '../installation.ts'

const root = join(import.meta.dirname, '../../..')

test('a project is moved under load: with repeats all the time, each click is counted once, and no count is ahead of its asOf', async () => {
  const cells = await createCells(await createTestBroker())
  const { home, eu } = cells
  await Promise.all([home.startProcessor(), eu.startProcessor()])
  await cells.manage('POST', '/v1/projects', { name: 'shop', dimensions: ['plan'] })
  const sender = new ClickSender(() => cells.ingest.url, await cells.keyOf('shop'))
  sender.start()
  const counts = async () =>
    (await cells.read('/v1/counts?project=shop')).body as { total: number; visitors: number; meta: { asOf: string } }
  await vi.waitFor(async () => expect((await counts()).total).toBeGreaterThan(500), patience)

  // Perhaps some before the key had arrived at ingest.
  const refusalsBefore = [...sender.refusals]
  // Each reading against what had been answered 202 by its asOf.
  const accepted: { readonly atMs: number; readonly clicks: number }[] = []
  const tooLow: object[] = []
  let isWatching = true
  const noting = setInterval(() => accepted.push({ atMs: Date.now(), clicks: sender.accepted.size }), 20)
  const watching = (async () => {
    while (isWatching) {
      const { total, meta } = await counts()
      const asOfMs = Date.parse(meta.asOf)
      const due = accepted.findLast(({ atMs }) => atMs < asOfMs)?.clicks ?? 0
      if (total < due) tooLow.push({ total, due, asOf: meta.asOf })
      await sleep(100)
    }
  })()

  const move = promisify(execFile)(
    process.execPath,
    ['cli/main.ts', 'projects', 'move', 'shop', '--to', 'eu', '--json'],
    {
      cwd: root,
      env: childEnvironment({
        CLICKTALLY_URL: await cells.gateway(),
        CLICKTALLY_KEY: cells.ownerKey,
        CLICKTALLY_DATABASE_URL: home.database.operatorUrl,
        CLICKTALLY_BROKER_URL: home.broker.url,
        CLICKTALLY_CELL_DATABASE_URLS: `eu=${eu.database.operatorUrl}`,
        CLICKTALLY_CELL_BROKER_URLS: `eu=${eu.broker.url}`,
      }),
    },
  )
  const { stdout } = await move
  expect(JSON.parse(stdout)).toMatchObject({ project: 'shop', from: 'home', to: 'eu' })
  const atMove = sender.accepted.size
  await vi.waitFor(() => expect(sender.accepted.size).toBeGreaterThan(atMove + 500), patience)
  isWatching = false
  await watching
  clearInterval(noting)
  await sender.stop()

  expect(tooLow).toEqual([])
  expect([...sender.refusals]).toEqual(refusalsBefore)
  const projects = (await cells.manage('GET', '/v1/projects')).body.projects as object[]
  expect(projects[1]).toMatchObject({ name: 'shop', cell: 'eu', moving: null })
  await vi.waitFor(async () => expect((await counts()).total).toBe(sender.accepted.size), patience)
  expect(await eu.tally(2)).toEqual({ ids: sender.accepted, counted: sender.accepted.size })
  const old = await home.tally(2)
  expect(old.ids.size).toBeGreaterThan(500)
  expect(old.ids.size).toBeLessThan(sender.accepted.size)
  expect(sender.repeats).toBeGreaterThan(500)
  // What a click was is copied with it.
  const columns =
    'id, project_id, occurred_at, received_at, bot, target, visitor_id, url, referrer, country, agent, props'
  const [first] = await home.ask<{ id: string }>(
    `select ${columns} from clicks where project_id = 2 order by id limit 1`,
  )
  expect(await eu.ask(`select ${columns} from clicks where id = $1`, [first?.id])).toEqual([first])
  const { body: balance } = await cells.read('/v1/balance')
  for (const { accepted, counted, duplicates, inFlight, dead } of balance.cells)
    expect({ accepted, dead }).toEqual({ accepted: counted + duplicates + inFlight, dead: 0 })
})
