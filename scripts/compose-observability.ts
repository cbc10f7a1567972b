import { partEntries, parts, serviceNames } from '../packages/system/parts.ts'
import { PrometheusClient } from '../test/e2e/prometheus-client.ts'
import { until } from '../tools/testing/until.ts'
import type { ComposeProject } from './compose-project.ts'

const everyMs = 2_000
const client = new PrometheusClient({
  prometheusUrl: `http://127.0.0.1:${parts.prometheus.publishedPorts[0]}`,
  alertmanagerUrl: `http://127.0.0.1:${parts.alertmanager.publishedPorts[0]}`,
})

/**
 * Tries the profile `observability`: Prometheus scrapes every service, an alert fires when a service stops, and clears when it is back. Starts
 * those of its servers whose images are on this machine; without Prometheus and Alertmanager it only says so.
 *
 * @throws if something does not happen within minutes
 */
export async function checkObservability(project: ComposeProject): Promise<void> {
  const servers = partEntries.filter(([, { profile }]) => profile === 'observability')
  const here = servers.filter(([, { image = '' }]) => project.hasImage(image)).map(([name]) => name)
  const missing = servers.map(([name]) => name).filter((name) => !here.includes(name))
  if (missing.length > 0) console.log(`not tried, because their images are not here: ${missing.join(', ')}`)
  if (!here.includes('prometheus') || !here.includes('alertmanager')) return

  project.compose('--profile', 'observability', 'up', '--detach', '--wait', '--no-recreate', ...here)
  const jobs = [...serviceNames, 'rabbitmq', 'rabbitmq-queues'].sort()
  let up: string[] = []
  const areUp = async () => {
    const samples = await client.query('min by (job) (up) == 1')
    up = samples.map(({ metric }) => metric.job ?? '').sort()
    return up.join() === jobs.join()
  }
  await until(areUp, `Prometheus to scrape ${jobs.join(', ')}`, everyMs).catch((error: Error) => {
    throw new Error(`${error.message}; it scrapes ${up.join(', ')}`)
  })
  console.log(`Prometheus scrapes ${up.join(', ')}`)

  const isFiring = async () => (await client.alerts()).includes('ServiceDown')
  project.compose('stop', 'notifier')
  await until(isFiring, 'the alert ServiceDown', everyMs)
  project.compose('start', 'notifier')
  await until(async () => !(await isFiring()), 'the alert ServiceDown to clear', everyMs)
  console.log('ServiceDown fired while the notifier was stopped, and cleared when it was back')
}
