import { createPool } from '@clicktally/database/pool.ts'
import { HourPacking } from '@clicktally/processor/background/packing/hour-packing.ts'
import { pino } from 'pino'
import { type FreshDatabase, withClient } from '../system/databases.ts'

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
