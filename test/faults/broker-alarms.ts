import { rabbitmqctl } from '@clicktally/local/servers/rabbitmq.ts'
import { until } from '@clicktally/testing/until.ts'
import type { FaultSystem } from './fault-system.ts'

export type Alarm = 'memory' | 'disk'

/** Arguments of `rabbitmqctl`: limits that raise the alarm immediately. */
const limits = {
  memory: ['set_vm_memory_high_watermark', 'absolute', '1'],
  disk: ['set_disk_free_limit', '1000000GB'],
} as const satisfies Record<Alarm, readonly string[]>

/** Raises an alarm by changing the broker's limits. The returned function restores them. */
export async function raiseAlarm(system: FaultSystem, alarm: Alarm): Promise<() => Promise<void>> {
  const server = system.program('rabbitmq')
  const nodes = async () => (await system.manage('GET', '/nodes')) as { mem_limit?: number; disk_free_limit?: number }[]
  // The management API lacks the limits for the first seconds after a start.
  await until(async () => (await nodes())[0]?.mem_limit !== undefined, 'the limits of the broker')
  const [node] = await nodes()
  await rabbitmqctl(server, [...limits[alarm]])
  return async () => {
    const [command] = limits[alarm]
    const usual = alarm === 'memory' ? ['absolute', String(node?.mem_limit)] : [String(node?.disk_free_limit)]
    await rabbitmqctl(server, [command, ...usual])
  }
}
