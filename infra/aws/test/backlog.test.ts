import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import vm from 'node:vm'

const code = readFileSync(join(import.meta.dirname, '../functions/backlog.cjs'), 'utf8')

/** Runs the function against a broker that answers this, and returns what it publishes. */
async function publish(queues: unknown, status = 200): Promise<unknown> {
  let authorization: string | undefined
  const server = createServer((request, response) => {
    authorization = request.headers.authorization
    response.writeHead(status).end(JSON.stringify(queues))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sent: unknown[] = []
  class Command {
    readonly input: unknown
    constructor(input: unknown) {
      this.input = input
    }
  }
  const modules: Record<string, object> = {
    '@aws-sdk/client-cloudwatch': {
      CloudWatchClient: class {
        send = async ({ input }: Command) => void sent.push(input)
      },
      PutMetricDataCommand: Command,
    },
    '@aws-sdk/client-secrets-manager': {
      SecretsManagerClient: class {
        send = async () => ({ SecretString: '{"broker-password":"p"}' })
      },
      GetSecretValueCommand: Command,
    },
  }
  const exports: { handler?: () => Promise<void> } = {}
  const MANAGEMENT_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const process = { env: { MANAGEMENT_URL, SECRET_ARN: 'arn' } }
  vm.runInNewContext(code, { exports, process, require: (name: string) => modules[name], fetch, Buffer, AbortSignal })
  try {
    await exports.handler?.()
  } finally {
    server.close()
  }
  assert.equal(authorization, `Basic ${Buffer.from('operator:p').toString('base64')}`)
  return JSON.parse(JSON.stringify(sent))
}

const named = (MetricName: string, Value: number, Unit = 'Count') => ({ MetricName, Value, Unit })

test('the backlog of the queues is published', async () => {
  const queues = [
    { name: 'clicks', messages: 12, consumers: 2 },
    { name: 'clicks.suspect', messages: 0, consumers: 2 },
  ]
  assert.deepEqual(await publish(queues), [
    { Namespace: 'Clicktally', MetricData: [named('Backlog', 12), named('Consumers', 2), named('Suspects', 0)] },
  ])
})

test('the size of the backlog is published in bytes', async () => {
  assert.deepEqual(await publish([{ name: 'clicks', messages: 12, message_bytes: 700_000 }]), [
    { Namespace: 'Clicktally', MetricData: [named('Backlog', 12), named('BacklogBytes', 700_000, 'Bytes')] },
  ])
})

test('nothing is published that the broker does not know', async () => {
  assert.deepEqual(await publish([{ name: 'clicks', state: 'down' }]), [])
  await assert.rejects(publish({}, 401), /answered 401/)
})

test('it fits into the template', () => {
  assert.ok(code.length <= 4096, `${code.length} characters`)
})
