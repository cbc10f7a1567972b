import { ManagementError } from '@clicktally/broker/management.ts'
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
  for (let answered = 0; answered < manyChecks; ) {
    try {
      expect(await failure()).toBeUndefined()
      answered += 1
    } catch (error) {
      // While another test deletes its virtual host, the API may answer 500. Then the watch has begun anew.
      if (!(error instanceof ManagementError)) throw error
      answered = 0
    }
  }
})
