import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { brokerDefinitions } from '@clicktally/broker/definitions.ts'
import { topology } from '@clicktally/broker/topology.ts'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { rabbitmqctl, startRabbitmq } from '@clicktally/local/servers/rabbitmq.ts'
import type { BrokerUser } from '@clicktally/system/parts.ts'
import { onTestFinished } from 'vitest'

/** A RabbitMQ for one test, for faults that would break other tests. */
export interface OwnBroker {
  readonly url: string
  /** The URL for a user, with the rights that it has in production. */
  urlAs(user: BrokerUser): Promise<string>
  /** Kills the server, which is started again. */
  kill(): void
  /** Stops the only member of the queue for clicks, so that it has no leader. Connections stay. */
  stopQueue(): Promise<void>
  startQueue(): Promise<void>
}

/** Starts a broker, which takes about ten seconds, and stops it after the test. It is not restarted when a queue has no leader. */
export async function createOwnBroker(): Promise<OwnBroker> {
  const dir = await makeScratchFolder('broker')
  const password = randomBytes(12).toString('hex')
  const definitions = brokerDefinitions(() => password)
  const { amqpPort, server, stop } = await startRabbitmq({ dir: join(dir, 'rabbitmq'), definitions })
  onTestFinished(async () => {
    await stop()
    await rm(dir, { recursive: true, force: true })
  })
  const call = async (name: 'stop_server' | 'restart_server') => {
    const output = await rabbitmqctl(server, ['eval', `ra:${name}(quorum_queues, {'%2F_${topology.queue}', node()}).`])
    if (output.trim() !== 'ok') throw new Error(`ra:${name} returned ${output}`)
  }
  const urlOf = (user: string) => `amqp://${user}:${password}@127.0.0.1:${amqpPort}`
  return {
    url: urlOf('operator'),
    urlAs: async (user) => urlOf(user),
    kill: () => server.kill(),
    stopQueue: () => call('stop_server'),
    startQueue: () => call('restart_server'),
  }
}
