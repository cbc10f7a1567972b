import { until } from '../tools/testing/until.ts'
import type { ComposeProject } from './compose-project.ts'

const clicks = 300
const startMs = Date.UTC(2011, 0, 10)
/** Hours are packed minutes after their last click. */
const withinMs = 600_000

/** Settings with which the janitor runs often enough to be seen. */
export const janitorSettings = { ARCHIVE_URL: 'file:///archive', JANITOR_EVERY: '1m' }

/**
 * Tries the janitor in its container: it archives old clicks to the volume, the archive is as its manifest says, and comes back without
 * a change of any count.
 *
 * @param key that may send
 * @throws if it does not happen within minutes
 */
export async function checkJanitor(project: ComposeProject, baseUrl: string, key: string): Promise<void> {
  const events = Array.from({ length: clicks }, (_, index) => ({
    target: `archived-${index % 3}`,
    occurredAt: new Date(startMs + index * 60_000).toISOString(),
  }))
  const response = await fetch(`${baseUrl}/v1/backfill`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ events }),
  })
  if (response.status !== 202) throw new Error(`/v1/backfill answered ${response.status}: ${await response.text()}`)
  const cli = (...args: string[]) => project.output('run', '--rm', '--no-TTY', 'cli', ...args)
  cli('projects', 'change', 'default', '--keep-raw-days', '365')
  await until(() => cli('archive', 'list').includes('2011-01-01'), withinMs, 'the clicks to be archived', 5_000)
  for (const args of [['list'], ['verify'], ['import', '--yes', '--keep-days', '7']])
    console.log(cli('archive', ...args).trim())
}
