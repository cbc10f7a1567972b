import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { DeliveryWork } from '../deliveries/delivery-work.ts'

const logger = pino({ level: 'silent' })
export const secret = Buffer.alloc(32, 7)
/** The secret as receivers have it. */
export const secretText = `whsec_${secret.toString('base64')}`

export interface DeliveryRow {
  readonly webhook_id: string
  readonly event_id: string
  readonly attempts: number
  readonly last_attempt_at: Date | null
  readonly last_status: number | null
  readonly last_error: string | null
  readonly next_attempt_at: Date | null
  readonly delivered_at: Date | null
}

/** A database of the test's own, with the rights of the notifier, and instances of it. */
export async function createNotifier() {
  const { notifierUrl, ownerUrl } = await createTestDatabase()
  const owner = createPool({ url: ownerUrl, name: 'test', logger, maxConnections: 2, statementTimeoutMs: 60_000 })
  onTestFinished(() => owner.end())
  const connect = (url = notifierUrl) => {
    const pool = createPool({ url, name: 'test', logger, maxConnections: 3, statementTimeoutMs: 10_000 })
    const db = createDatabase(pool)
    onTestFinished(() => db.destroy())
    return db
  }
  const db = connect()
  const ask = async <Row>(query: string, values: unknown[] = []): Promise<Row[]> =>
    (await owner.query(query, values)).rows as Row[]
  return {
    notifierUrl,
    db,
    ask,
    connect,
    /** An instance of the deliveries, which may send to this machine. */
    createWork(options: Partial<ConstructorParameters<typeof DeliveryWork>[0]> = {}) {
      const work = new DeliveryWork({
        db,
        logger,
        addresses: 'any',
        timeoutMs: 30_000,
        onAttempt: () => {},
        ...options,
      })
      onTestFinished(() => work.close())
      return {
        work,
        /** Makes one attempt of what is due. */
        async deliver() {
          await work.begin()
          await work.close()
        },
      }
    },
    async addWebhook(url: string): Promise<string> {
      const [row] = await ask<{ id: string }>(
        'insert into webhooks (project_id, url, secret) values (1, $1, $2) returning id',
        [url, secret],
      )
      return row?.id ?? ''
    },
    /** Creates an event for these webhooks. */
    async addEvent(...webhooks: string[]): Promise<string> {
      const [row] = await ask<{ id: string }>(
        `with event as (
           insert into webhook_events (project_id, type, body) values (1, 'test', '{"type":"test"}') returning id
         ), delivery as (
           insert into webhook_deliveries (webhook_id, event_id) select unnest($1::uuid[]), id from event
         )
         select id from event`,
        [webhooks],
      )
      return row?.id ?? ''
    },
    deliveries: () => ask<DeliveryRow>('select * from webhook_deliveries order by event_id, webhook_id'),
    /** As if the pauses were over, and the leases of instances that are gone. */
    makeDue: () =>
      owner.query(`
        with free as (update webhooks set busy_until = '-infinity')
        update webhook_deliveries set next_attempt_at = now() where next_attempt_at is not null`),
    /** Starts the program. It is killed after the test. */
    startProgram(variables: Record<string, string> = {}): ChildProcess {
      const child = spawn(process.execPath, [join(import.meta.dirname, '../main.ts')], {
        env: {
          PATH: process.env.PATH,
          ...{ DATABASE_URL: notifierUrl, PORT: '0', LOG_LEVEL: 'silent', CLICKTALLY_WEBHOOK_ADDRESSES: 'any' },
          ...variables,
        },
        stdio: 'inherit',
      })
      onTestFinished(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return
        child.kill('SIGKILL')
        await once(child, 'exit')
      })
      return child
    },
  }
}

export interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/**
 * A server that receives webhooks.
 *
 * @param answer to the request with this number, from 0 on. Default: 204
 */
export async function createReceiver(
  answer: (response: ServerResponse, number: number) => void = (response) => response.writeHead(204).end(),
) {
  const received: Received[] = []
  let connections = 0
  const server = createServer(async (request, response) => {
    request.setEncoding('utf8')
    let body = ''
    for await (const chunk of request) body += chunk
    received.push({ headers: request.headers, body })
    answer(response, received.length - 1)
  })
  server.on('connection', () => {
    connections += 1
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://127.0.0.1:${port}/hook?token=t`,
    received,
    ids: () => received.map(({ headers }) => headers['webhook-id']),
    connections: () => connections,
  }
}
