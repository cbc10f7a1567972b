import { until } from '../tools/testing/until.ts'
import type { ComposeProject } from './compose-project.ts'

const clicks = 300
const startMs = Date.UTC(2011, 0, 10)

/** Settings with which the janitor runs often enough to be seen. */
export const janitorSettings = { ARCHIVE_URL: 'file:///archive', JANITOR_EVERY: '1m' }

/**
 * Tries the janitor in its container: it archives old clicks to the volume and removes them, the archive is as its manifest says, and
 * they come back without a change of any count.
 *
 * @param key that may send and read
 * @throws if it does not happen within minutes
 */
export async function checkJanitor(project: ComposeProject, baseUrl: string, key: string): Promise<void> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` }
  const events = Array.from({ length: clicks }, (_, index) => ({
    target: `archived-${index % 3}`,
    occurredAt: new Date(startMs + index * 60_000).toISOString(),
  }))
  const request = { method: 'POST', headers, body: JSON.stringify({ events }) }
  const { status } = await fetch(`${baseUrl}/v1/backfill`, request)
  if (status !== 202) throw new Error(`/v1/backfill answered ${status}`)
  const cli = (...args: string[]) => project.output('run', '--rm', '--no-TTY', 'cli', ...args)
  const read = async <Answer>(path: string) =>
    (await (await fetch(`${baseUrl}/v1/${path}`, { headers })).json()) as Answer
  const isCounted = async () => (await read<{ total: number }>('counts?to=2012-01-01')).total === clicks
  const rawClicks = async () => (await read<{ clicks: unknown[] }>('events?to=2012-01-01&limit=1')).clicks.length

  await until(isCounted, `${clicks} old clicks to be counted`, 1_000)
  cli('projects', 'change', 'default', '--keep-raw-days', '365')
  await until(async () => (await rawClicks()) === 0, 'the old clicks to be archived and removed', 5_000)
  for (const args of [['list'], ['verify'], ['import', '--yes', '--keep-days', '7']]) {
    console.log(cli('archive', ...args).trim())
  }
  if (!(await isCounted())) throw new Error(`the ${clicks} archived clicks are not counted any more`)
  if ((await rawClicks()) === 0) throw new Error('the archived clicks did not come back')
}
