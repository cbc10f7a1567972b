import { rabbitmqctl } from '@clicktally/local/rabbitmq.ts'
import type { FaultSystem } from './fault-system.ts'

export type Alarm = 'memory' | 'disk'

/** As `rabbitmqctl` takes them: limits under which the broker is short of everything. */
const limits = {
  memory: ['set_vm_memory_high_watermark', 'absolute', '1'],
  disk: ['set_disk_free_limit', '1000000GB'],
} as const satisfies Record<Alarm, readonly string[]>

/** Makes the broker short of memory or disk space, by its own reckoning; what is returned makes it well again. */
export async function raiseAlarm(system: FaultSystem, alarm: Alarm): Promise<() => Promise<void>> {
  const server = system.program('rabbitmq')
  const [node] = (await system.manage('GET', '/nodes')) as { mem_limit: number; disk_free_limit: number }[]
  if (node === undefined) throw new Error('the broker names no node of its own')
  await rabbitmqctl(server, [...limits[alarm]])
  return async () => {
    const [command] = limits[alarm]
    const usual = alarm === 'memory' ? ['absolute', String(node.mem_limit)] : [String(node.disk_free_limit)]
    await rabbitmqctl(server, [command, ...usual])
  }
}
