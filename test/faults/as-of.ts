import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickLoad } from '@clicktally/load/click-load.ts'
import { patience } from '@clicktally/testing/patience.ts'
import type { FaultSystem } from './fault-system.ts'

const probes = 60
/** JavaScript and PostgreSQL read the same clock here, but each rounds to milliseconds. */
const clockGrainMs = 5

/**
 * Checks that an answer contains every click accepted before its `meta.asOf`. Sends clicks, waits until `asOf` is later than their
 * acceptance, and checks that all of them are stored by then.
 *
 * @returns how long `asOf` took to get there, in milliseconds.
 * @throws if a click is missing, if `asOf` is in the future, or if it stands still: how long it may do so depends
 *   on the backlog and on the machine.
 */
export async function checkAsOf(
  { nginx, ownerKey, pool }: FaultSystem,
  load: Pick<ClickLoad, 'newClicks' | 'send'>,
): Promise<number> {
  const clicks = load.newClicks(probes)
  for (const click of clicks) {
    if (!(await load.send([click]))) throw new Error('a probe click was not accepted')
  }
  const acceptedAtMs = Date.now()
  let newestMs = Number.NEGATIVE_INFINITY
  let advancedAtMs = performance.now()
  while (newestMs <= acceptedAtMs) {
    const asOfMs = await readAsOf(nginx, ownerKey)
    if (asOfMs > Date.now() + clockGrainMs) throw new Error(`asOf is ${asOfMs - Date.now()} ms in the future`)
    if (asOfMs > newestMs) [newestMs, advancedAtMs] = [asOfMs, performance.now()]
    if (performance.now() - advancedAtMs > patience.timeout)
      throw new Error(`asOf has not advanced for ${patience.timeout / 1_000} s`)
    await sleep(100)
  }
  const tookMs = Date.now() - acceptedAtMs
  const { rows } = await pool.query<{ stored: number }>('select count(*) as stored from clicks where id = any($1)', [
    clicks.map(({ id }) => id),
  ])
  const missing = probes - (rows[0]?.stored ?? 0)
  if (missing > 0) throw new Error(`asOf has passed ${missing} of ${probes} clicks that are not stored`)
  return tookMs
}

/** Milliseconds since 1970; negative infinity if the api names no time. */
async function readAsOf(nginx: string, ownerKey: string): Promise<number> {
  const headers = { authorization: `Bearer ${ownerKey}` }
  const response = await fetch(new URL('/v1/counts?target=as-of', nginx), { headers })
  const { meta } = (await response.json()) as { meta?: { asOf: string | null } }
  const asOfMs = Date.parse(meta?.asOf ?? '')
  return Number.isNaN(asOfMs) ? Number.NEGATIVE_INFINITY : asOfMs
}
