import { createPool } from '@clicktally/database/pool.ts'
import { shrinkCounters } from '@clicktally/janitor/compaction/counter-tables.ts'
import { compactKeys } from '@clicktally/janitor/compaction/key-compaction.ts'
import { CounterFolding } from '@clicktally/processor/background/counter-folding.ts'
import { HourPacking } from '@clicktally/processor/background/packing/hour-packing.ts'
import { pino } from 'pino'
import { type FreshDatabase, withClient } from '../system/databases.ts'

/**
 * Does in this process what processors and the janitor do with data that is some hours old: packs minutes, returns their space, and makes
 * keys anew.
 */
export async function compact({ ownerUrl, urlFor }: FreshDatabase, signal: AbortSignal): Promise<void> {
  const logger = pino({ level: 'silent' })
  const limits = { name: 'bench compaction', logger, maxConnections: 1, statementTimeoutMs: 600_000 }
  const pool = createPool({ ...limits, url: urlFor('processor') })
  const janitorPool = createPool({ ...limits, url: urlFor('janitor') })
  const folding = new CounterFolding({ pool, metrics: { foldFailed() {} }, logger })
  try {
    await withClient(ownerUrl, async (client) => {
      const hasMore = async () => {
        const { rows } = await client.query<{ has_more: boolean }>(
          `select exists (select from minute_counters, rollup_horizon where minute < hours_before) as has_more`,
        )
        return rows[0]?.has_more === true
      }
      do await folding.fold()
      while (await hasMore())
      await client.query('vacuum analyze')
    })
    const client = await janitorPool.connect()
    try {
      await shrinkCounters(client)
      await compactKeys(client, { logger, signal })
    } finally {
      client.release()
    }
  } finally {
    await Promise.all([pool.end(), janitorPool.end()])
  }
}

/** Packs all hours that are over in this process, without waiting until they are due. Resolves with the number of clicks. */
export async function packHours({ ownerUrl, urlFor }: FreshDatabase, signal: AbortSignal): Promise<number> {
  await withClient(ownerUrl, (client) => client.query(`update stale_hours set stale_since = now() - interval '1 hour'`))
  const logger = pino({ level: 'silent' })
  const limits = { name: 'bench packing', logger, maxConnections: 2, statementTimeoutMs: 120_000 }
  const pool = createPool({ ...limits, url: urlFor('processor') })
  const packing = new HourPacking({ pool })
  const stop = () => packing.close()
  signal.addEventListener('abort', stop)
  try {
    return await packing.pack()
  } finally {
    signal.removeEventListener('abort', stop)
    await pool.end()
  }
}
