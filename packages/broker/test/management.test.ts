import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createTestBroker } from '@clicktally/testing/test-broker.ts'
import { expect, inject, onTestFinished, test } from 'vitest'
import { ManagementError, manage } from '../management.ts'
import { topology } from '../topology.ts'

const access = () => {
  const { amqpUrl, managementUrl } = inject('servers')
  return { brokerUrl: amqpUrl, managementUrl }
}

test('the API is called as the user of the broker URL, and its answer parsed', async () => {
  const vhost = new URL((await createTestBroker()).url).pathname.slice(1)
  const withSlash = { ...access(), managementUrl: `${access().managementUrl}/` }
  expect(await manage(withSlash, 'GET', `/queues/${vhost}/${topology.queue}`)).toMatchObject({ name: topology.queue })
  expect(await manage(access(), 'PUT', `/vhost-limits/${vhost}/max-queues`, { value: 9 })).toBeUndefined()
  expect(await manage(access(), 'GET', `/vhost-limits/${vhost}`)).toEqual([{ vhost, value: { 'max-queues': 9 } }])
})

test('a status other than 2xx is an error that contains the status, and no password', async () => {
  const wrong = new URL(inject('servers').amqpUrl)
  wrong.password = 'wrong-password'
  const outcomes = [
    await manage(access(), 'GET', '/vhosts/none').catch((error: ManagementError) => error),
    await manage({ ...access(), brokerUrl: wrong.href }, 'GET', '/overview').catch((error: ManagementError) => error),
  ]
  expect(outcomes.map((outcome) => (outcome as ManagementError).status)).toEqual([404, 401])
  for (const error of outcomes) {
    expect(error).toBeInstanceOf(ManagementError)
    expect((error as ManagementError).message).not.toContain('wrong-password')
  }
})

test('user and password are decoded, and a missing response ends in a timeout', async () => {
  const requests: IncomingMessage[] = []
  const silent = createServer((request) => requests.push(request))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void silent.close())
  const managementUrl = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const silentAccess = { managementUrl, brokerUrl: 'amqp://a%40b:c%2Fd@broker', timeoutMs: 500 }
  await expect(manage(silentAccess, 'GET', '/overview')).rejects.toMatchObject({ name: 'TimeoutError' })
  expect(requests[0]?.headers.authorization).toBe(`Basic ${Buffer.from('a@b:c/d').toString('base64')}`)
})
