import { createPool } from '@clicktally/database/pool.ts'
import type { Click } from '@clicktally/event/click.ts'
import { HourPacking } from '@clicktally/processor/background/packing/hour-packing.ts'
import { ClickBatch } from '@clicktally/processor/rows/click-batch.ts'
import { createPartitionsAround } from '@clicktally/processor/store/click-partitions.ts'
import { ClickStore } from '@clicktally/processor/store/click-store.ts'
import { consumedMessage } from '@clicktally/processor/test/processor-under-test.ts'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { createApi } from './api-under-test.ts'

const logger = pino({ level: 'silent' })
const producer = '0f8fad5b-d9cb-469f-a165-70867728950e'

/** An api over clicks that are stored, folded and packed as processors do it. The project declares the prop `plan`. */
export async function createApiOverClicks() {
  const api = await createApi()
  const limits = { name: 'test', logger, statementTimeoutMs: 60_000 }
  const pool = createPool({ ...limits, url: api.processorUrl, maxConnections: 4 })
  onTestFinished(() => pool.end())
  const packing = new HourPacking({ pool })
  const store = new ClickStore(pool)
  await createPartitionsAround(pool, Date.now())
  await api.owner.query(`update projects set dimensions = '{plan}'`)
  let sequence = 0
  return {
    ...api,
    async store(clicks: readonly Click[]): Promise<void> {
      sequence += 1
      const stamp = { producer, sequence, clicks: clicks.length, settled: sequence - 1, confirmed: 2 ** 40 }
      await store.count(new ClickBatch([consumedMessage(stamp, clicks)]))
    },
    fold: () => pool.query('select fold_counters()'),
    rollUp: () => pool.query('select roll_up_counters()'),
    /** Packs some stale hours, or all, as if they had been stale for long enough. */
    async pack(share = 1): Promise<number> {
      await api.owner.query(
        `update stale_hours set stale_since = now() - case when random() < $1 then interval '1 hour' else '0' end`,
        [share],
      )
      return await packing.pack()
    },
  }
}
