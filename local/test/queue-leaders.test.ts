import { topology } from '@clicktally/broker/topology.ts'
import { createTestBroker } from '@clicktally/testing/test-broker.ts'
import { expect, inject, test, vi } from 'vitest'
import { watchLeaders } from '../servers/queue-leaders.ts'

/** More than the watch takes to restart a broker for a queue that has never had a leader. */
const manyChecks = 70

test('a broker with streams and quorum queues is never restarted for them', async () => {
  const { manage } = await createTestBroker()
  const { amqpUrl, managementUrl } = inject('servers')
  await vi.waitFor(
    async () => expect(await manage('GET', `/queues/{vhost}/${topology.queue}`)).toHaveProperty('leader'),
    { timeout: 300_000, interval: 500 },
  )
  const { failure } = watchLeaders({ managementUrl, brokerUrl: amqpUrl })
  for (let check = 0; check < manyChecks; check += 1) expect(await failure()).toBeUndefined()
})
