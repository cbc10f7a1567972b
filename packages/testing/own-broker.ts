import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { brokerDefinitions } from '@clicktally/broker/definitions.ts'
import { topology } from '@clicktally/broker/topology.ts'
import { rabbitmqctl, startRabbitmq } from '@clicktally/local/rabbitmq.ts'
import { makeScratchFolder } from '@clicktally/local/scratch-folder.ts'
import { onTestFinished } from 'vitest'

/** A RabbitMQ that belongs to one test, which may do to it what no test that runs beside would survive. */
export interface OwnBroker {
  readonly url: string
  /** The queue for clicks loses its leader, the only member that it has; connections stay. */
  stopQueue(): Promise<void>
  startQueue(): Promise<void>
}

/** Starts it, which takes some ten seconds, and stops it when the test is over. Nobody watches over its queues. */
export async function createOwnBroker(): Promise<OwnBroker> {
  const dir = await makeScratchFolder('broker')
  const password = randomBytes(12).toString('hex')
  const definitions = brokerDefinitions({ ingest: password, processor: password, operator: password })
  const { amqpPort, server, stop } = await startRabbitmq({ dir: join(dir, 'rabbitmq'), definitions })
  onTestFinished(async () => {
    await stop()
    await rm(dir, { recursive: true, force: true })
  })
  const call = async (name: 'stop_server' | 'restart_server') => {
    const output = await rabbitmqctl(server, ['eval', `ra:${name}(quorum_queues, {'%2F_${topology.queue}', node()}).`])
    if (output.trim() !== 'ok') throw new Error(`ra:${name} returned ${output}`)
  }
  return {
    url: `amqp://operator:${password}@127.0.0.1:${amqpPort}`,
    stopQueue: () => call('stop_server'),
    startQueue: () => call('restart_server'),
  }
}
