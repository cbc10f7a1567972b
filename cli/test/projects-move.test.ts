import { randomUUID } from 'node:crypto'
import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import type { Click } from '@clicktally/event/click.ts'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import type { Project } from '@clicktally/operations/owner/project-operations.ts'
import { ClickBatch } from '@clicktally/processor/rows/click-batch.ts'
import { createPartition, createPartitionsAround } from '@clicktally/processor/store/click-partitions.ts'
import { ClickStore } from '@clicktally/processor/store/click-store.ts'
import { consumedMessage, createClick } from '@clicktally/processor/test/processor-under-test.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { type MoveOptions, moveProject } from '../cells/move-project.ts'
import { createOwnerCli } from './owner-under-test.ts'

const logger = pino({ level: 'silent' })
const project: Project = {
  ...{ name: 'default', derivesVisitors: true, dimensions: [], keepRawDays: null },
  ...{ cell: 'home', moving: null, createdAt: '2026-11-01T00:00:00.000Z' },
}

/** A cell that counts nothing by itself, and says that it has counted everything. */
async function createCell() {
  const { ownerUrl, operatorUrl } = await createTestDatabase()
  const limits = { name: 'test', logger, maxConnections: 2, statementTimeoutMs: 60_000 }
  const owner = createPool({ ...limits, url: ownerUrl })
  const db = createDatabase(createPool({ ...limits, url: operatorUrl }))
  onTestFinished(async () => {
    await Promise.all([owner.end(), db.destroy()])
  })
  await owner.query(
    `insert into processor_progress (processor, name, counted_through, reports, connections) values (gen_random_uuid(), '', now() + interval '1 day', 1, '{}')`,
  )
  return { owner, db }
}

type Cell = Awaited<ReturnType<typeof createCell>>

interface Cells {
  readonly source: Cell
  readonly target: Cell
  readonly click: Click
}

async function count({ owner }: Cell, click: Click): Promise<void> {
  const stamp = { producer: '0f8fad5b-d9cb-469f-a165-70867728950e', sequence: 1, clicks: 1, settled: 0, confirmed: 0 }
  await createPartition(owner, click.occurredAtMs)
  await new ClickStore(owner).count(new ClickBatch([consumedMessage({ ...stamp, producer: randomUUID() }, [click])]))
}

/**
 * Two cells, of which the source has one click, and what was sent to the target.
 *
 * @param onSent instead of the target's refusal
 */
async function createMove(changes: Partial<Project> = {}, onSent?: (cells: Cells) => Promise<void>) {
  const [source, target] = [await createCell(), await createCell()]
  const click = createClick({ id: randomUuidV7(Date.now()) })
  await createPartitionsAround(source.owner, Date.now())
  await count(source, click)
  const sent: number[] = []
  const steps: string[] = []
  /** The answers of auth. */
  const api: Record<string, Partial<Project>> = {}
  const publisher = {
    async publish({ clicks }: { clicks: number }) {
      sent.push(clicks)
      if (onSent) return await onSent({ source, target, click })
      await target.owner.query(
        `insert into dead_letters (producer, sequence, reason, detail, content, clicks, click_ids, click_projects)
         values (gen_random_uuid(), 1, 'invalid', '', '', 1, array[$1::uuid], '{1}')`,
        [click.id],
      )
    },
    async report() {},
  }
  const options = {
    ...{ project: { ...project, ...changes }, to: 'eu', source: source.db, target: target.db, say() {} },
    publisher: publisher as unknown as MoveOptions['publisher'],
    api: {
      async call(_: string, { body }: { body: { state: string } }) {
        steps.push(body.state)
        return api[body.state]
      },
    } as unknown as MoveOptions['api'],
  }
  return { source, target, sent, steps, api, move: () => moveProject(options) }
}

test('a click that the new cell cannot count is sent once, and the move says so', async () => {
  const { sent, steps, move } = await createMove()
  await expect(move()).rejects.toThrow('The new cell has 1 dead letters with clicks of this project')
  expect(sent).toEqual([1])
  expect(steps).toEqual([])
})

test('nothing is sent to a cell that refuses clicks as too old', async () => {
  const { target, sent, move } = await createMove()
  await target.owner.query(`select keep_raw_clicks_since((now() at time zone 'utc')::date + 1)`)
  await expect(move()).rejects.toThrow('The new cell has removed its raw clicks of that time')
  expect(sent).toEqual([])
})

test('a project whose raw clicks have an age is not moved', async () => {
  const { sent, move } = await createMove({ keepRawDays: 30 })
  await expect(move()).rejects.toThrow('projects change default --keep-raw-days forever')
  expect(sent).toEqual([])
})

test('a move is not completed if a janitor has removed clicks while it was copying others', async () => {
  const timeMs = Date.now() - 45 * 86_400_000
  const old = createClick({ id: randomUuidV7(timeMs), occurredAtMs: timeMs, receivedAtMs: timeMs })
  const { target, sent, steps, move } = await createMove(
    { cell: 'eu', moving: { from: 'home', since: '2026-11-01T00:00:00.000Z' } },
    async ({ source, target, click }) => {
      await count(target, click)
      // The comparison that finds nothing missing is a later one.
      await count(source, old)
      await source.owner.query('update projects set keep_raw_days = 10')
      await source.owner.query(
        `select close_raw_clicks(1, relname::text) from pg_class where oid in (select tableoid from clicks where id = $1)`,
        [old.id],
      )
      await source.owner.query('delete from clicks where id = $1', [old.id])
    },
  )
  await expect(move()).rejects.toThrow('only raw clicks can be moved. New clicks go to eu already.')
  expect(sent).toEqual([1])
  expect(steps).toEqual([])
  expect((await target.owner.query('select from clicks')).rowCount).toBe(1)
})

test('a project that got an age before the move was announced is not moved', async () => {
  const { steps, api, move } = await createMove({}, ({ target, click }) => count(target, click))
  api.announced = { ...project, keepRawDays: 30 }
  await expect(move()).rejects.toThrow('projects change default --keep-raw-days forever')
  expect(steps).toEqual(['announced', 'settled'])
})

test('a move that was only announced is given up, and one that has begun has to be completed', async () => {
  const { owner, run, json } = await createOwnerCli()
  await owner.query(`update projects set moving_from = 'home', moving_since = now() where name = 'default'`)
  expect((await run('projects', 'move', 'default', '--to', 'home')).stdout).toBe(
    'The move was given up. "default" stays in home.\n',
  )
  expect(await json('projects', 'list')).toMatchObject([{ cell: 'home', moving: null }])
  await owner.query(`update projects set moving_from = 'home', moving_since = now(), cell = 'eu'`)
  const { code, stderr } = await run('projects', 'move', 'default', '--to', 'home')
  expect(code).toBe(2)
  expect(stderr).toContain('projects move default --to eu')
})
