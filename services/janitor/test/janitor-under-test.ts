import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { linesOf, readContent } from '@clicktally/archive/archive-content.ts'
import type { ArchiveStore } from '@clicktally/archive/archive-store.ts'
import { FolderStore } from '@clicktally/archive/folder-store.ts'
import { listArchives, type Manifest } from '@clicktally/archive/manifest.ts'
import { createPool } from '@clicktally/database/pool.ts'
import type { Click } from '@clicktally/event/click.ts'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { HourPacking } from '@clicktally/processor/background/packing/hour-packing.ts'
import { ClickBatch } from '@clicktally/processor/rows/click-batch.ts'
import { createPartition, createPartitionsAround } from '@clicktally/processor/store/click-partitions.ts'
import { ClickStore } from '@clicktally/processor/store/click-store.ts'
import { consumedMessage, createClick } from '@clicktally/processor/test/processor-under-test.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { Janitor, type JanitorOptions } from '../janitor.ts'

const logger = pino({ level: 'silent' })
export const dayMs = 86_400_000
export const ages = { deadLetterDays: 90, auditLogDays: 730, producerDays: 400 }
/** The id of a project that keeps its raw clicks for ever, beside the first. */
export const otherProject = 2

/** A click of this age, in an hour that is over. */
export function oldClick(daysAgo: number, changes: Partial<Click> = {}): Click {
  const timeMs = Date.now() - daysAgo * dayMs
  return createClick({ id: randomUuidV7(timeMs), occurredAtMs: timeMs, receivedAtMs: timeMs, ...changes })
}

/** A database with two projects, of which the first keeps raw clicks for ten days, and a folder for archives. */
export async function createJanitorBench() {
  const urls = await createTestDatabase()
  const limits = { name: 'test', logger, maxConnections: 3, statementTimeoutMs: 60_000 }
  const owner = createPool({ ...limits, url: urls.ownerUrl })
  const processor = createPool({ ...limits, url: urls.processorUrl })
  const pool = createPool({ ...limits, url: urls.janitorUrl, settings: { timezone: 'UTC' } })
  const folder = await mkdtemp(join(tmpdir(), 'clicktally-archive-'))
  onTestFinished(async () => {
    await Promise.all([owner.end(), processor.end(), pool.end()])
    await rm(folder, { recursive: true, force: true })
  })
  const store = new FolderStore(folder)
  await owner.query(`insert into projects (name) values ('other'); update projects set keep_raw_days = 10 where id = 1`)
  await createPartitionsAround(processor, Date.now())
  const clicks = new ClickStore(processor)
  const packing = new HourPacking({ pool: processor })
  let sequence = 0
  const ask = async <Row extends object>(text: string, values: unknown[] = []) =>
    (await owner.query<Row>(text, values)).rows
  return {
    urls,
    folder,
    store,
    ask,
    async count(...counted: Click[]): Promise<void> {
      for (const { id } of counted)
        await createPartition(processor, Number.parseInt(id.replace('-', '').slice(0, 12), 16))
      sequence += 1
      const producer = '0f8fad5b-d9cb-469f-a165-70867728950e'
      const stamp = { producer, sequence, clicks: counted.length, settled: sequence - 1, confirmed: 2 ** 40 }
      const message = consumedMessage(stamp, counted)
      try {
        await clicks.count(new ClickBatch([message]))
      } catch {
        await clicks.countDespiteRefusals(message)
      }
    },
    fold: () => ask('select fold_counters()'),
    /** Folds, and packs and sums everything that is over. */
    async pack(): Promise<void> {
      await ask('select fold_counters()')
      await ask(`update stale_hours set stale_since = now() - interval '1 hour'`)
      await packing.pack()
    },
    janitor: (changes: Partial<JanitorOptions> = {}) =>
      new Janitor({ pool, store, ages, metrics: { archived() {}, removed() {}, waiting() {} }, logger, ...changes }),
    /** The raw clicks of a project, as the lines of an archive have them. */
    async stored(projectId = 1): Promise<string[]> {
      const rows = await ask<{ id: string }>('select id from clicks where project_id = $1 order by id', [projectId])
      return rows.map(({ id }) => id)
    },
    archived: () => archivedIds(store),
    counters: () =>
      ask(`
        select 'minute' as width, project_id, minute as start, target, total, bots, visitors from minute_counters
        union all select 'hour', project_id, hour, target, total, bots, visitors from hour_counters
        union all select dimension, project_id, start, width, length(data), 0, '{}' from dimension_sums
        union all select dimension, project_id, hour, part::text, length(data), 0, '{}' from click_columns
        order by 1, 2, 3, 4`),
    partitions: async () =>
      (
        await ask<{ name: string }>(
          `select inhrelid::regclass::text as name from pg_inherits
           where inhparent = 'clicks'::regclass and click_partition_end(inhrelid::regclass::text) < now() - interval '8 days'
           order by 1`,
        )
      ).map(({ name }) => name),
  }
}

export type JanitorBench = Awaited<ReturnType<typeof createJanitorBench>>

/** The ids of all archived clicks, by what the manifests name. */
export async function archivedIds(store: ArchiveStore): Promise<string[]> {
  const ids: string[] = []
  for (const manifest of await manifestsIn(store)) {
    for await (const page of readContent(store, manifest)) ids.push(...linesOf(page).map((line) => JSON.parse(line).id))
  }
  return ids.sort()
}

export function manifestsIn(store: ArchiveStore): Promise<Manifest[]> {
  return Array.fromAsync(listArchives(store))
}
