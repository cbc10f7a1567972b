import type { ClickLoad } from '@clicktally/e2e/click-load.ts'
import { until } from '@clicktally/testing/until.ts'
import type { FaultSystem } from './fault-system.ts'

const probes = 60
/** Between this machine's clock as JavaScript and as PostgreSQL read it: both cut off parts of a millisecond. */
const clockGrainMs = 5

/**
 * Holds the api to its word: "what was accepted before `meta.asOf` is in the answer". Sends clicks, waits until `asOf` has
 * passed their acceptance, and looks whether all of them are stored then.
 *
 * @returns how long `asOf` took to pass it, in milliseconds.
 * @throws when one is missing, when `asOf` is ahead of time, or when it stands still for longer than `withinMs`.
 */
export async function checkAsOf(
  { nginx, pool }: FaultSystem,
  load: Pick<ClickLoad, 'newClicks' | 'send'>,
  withinMs = 30_000,
): Promise<number> {
  const clicks = load.newClicks(probes)
  for (const click of clicks) {
    if (!(await load.send([click]))) throw new Error('a click to be looked for was not accepted')
  }
  const acceptedAtMs = Date.now()
  await until(
    async () => {
      const response = await fetch(new URL('/v1/counts?target=as-of', nginx))
      const { meta } = (await response.json()) as { meta: { asOf: string | null } }
      const asOfMs = Date.parse(meta.asOf ?? '')
      if (asOfMs > Date.now() + clockGrainMs) throw new Error(`asOf is ${asOfMs - Date.now()} ms ahead of time`)
      return asOfMs > acceptedAtMs
    },
    withinMs,
    'asOf to pass what was accepted',
    100,
  )
  const tookMs = Date.now() - acceptedAtMs
  const { rows } = await pool.query<{ stored: number }>('select count(*) as stored from clicks where id = any($1)', [
    clicks.map(({ id }) => id),
  ])
  const missing = probes - (rows[0]?.stored ?? 0)
  if (missing > 0) throw new Error(`asOf has passed ${missing} of ${probes} clicks that are not counted`)
  return tookMs
}
