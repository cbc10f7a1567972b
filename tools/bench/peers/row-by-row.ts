import { connectToBroker } from '@clicktally/broker/broker-connection.ts'
import { clickColumns } from '@clicktally/database/click-columns.ts'
import { decodeMessage } from '@clicktally/message/clicks-message.ts'
import type { ConsumeMessage } from 'amqplib'
import { Client } from 'pg'

// Stores clicks as most tutorials do: for each click a transaction with one INSERT and, if the click is new, one UPSERT of its
// counter, one after the other over one connection, with prepared statements. Acknowledges a message after its last click. It
// has no visitor sketches and no ledger.

export interface RowByRowSettings {
  readonly amqpUrl: string
  readonly queue: string
  readonly databaseUrl: string
  /** Number of clicks after which it ends. */
  readonly clicks: number
  readonly signal: AbortSignal
}

export interface RowByRowResult {
  /** From the first message to the last commit. */
  readonly seconds: number
  /** The sum of its counters. */
  readonly counted: number
}

const timeoutMs = 180_000
/** More than one, so that it never waits for the next message. */
const prefetch = 10

const columns = clickColumns()
const insertClick = `
  insert into clicks (${columns.map(({ name }) => name).join(', ')})
  values (${columns.map((_, index) => `$${index + 1}`).join(', ')}) on conflict (id, project_id) do nothing`

export async function storeRowByRow(settings: RowByRowSettings): Promise<RowByRowResult> {
  const { amqpUrl, queue, databaseUrl, clicks, signal } = settings
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  await client.query(
    `create table row_counters (project_id int, target text collate "C", minute timestamptz, total bigint not null, bots bigint not null, primary key (project_id, target, minute))`,
  )
  const connection = await connectToBroker(amqpUrl, 'row-by-row', 5_000)
  const channel = await connection.createChannel()
  await channel.prefetch(prefetch)
  let startedAtMs: number | undefined
  let stored = 0
  let waiting = Promise.resolve()
  const done = Promise.withResolvers<void>()
  AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]).onabort = () => done.reject(new Error('stopped'))
  const take = async (message: ConsumeMessage) => {
    const { clicks: taken, undecodable } = decodeMessage(message.properties.type, message.content)
    if (undecodable.length > 0) throw new Error(`cannot decode a message: ${undecodable[0]?.detail}`)
    for (const click of taken) {
      await storeClick(client, click)
      stored += 1
    }
    channel.ack(message)
    if (stored >= clicks) done.resolve()
  }
  await channel.consume(
    queue,
    (message) => {
      startedAtMs ??= performance.now()
      if (message !== null) waiting = waiting.then(() => take(message)).catch(done.reject)
    },
    { noAck: false },
  )
  await done.promise
  const seconds = (performance.now() - (startedAtMs ?? 0)) / 1_000
  const { rows } = await client.query('select sum(total + bots)::float8 as counted from row_counters')
  await connection.close()
  await client.end()
  return { seconds, counted: rows[0].counted }
}

async function storeClick(client: Client, click: ReturnType<typeof decodeMessage>['clicks'][number]): Promise<void> {
  const { projectId, occurredAtMs, bot = false, target } = click
  const occurredAt = new Date(occurredAtMs)
  await client.query('begin')
  const { rowCount } = await client.query({
    name: 'insert-click',
    text: insertClick,
    values: columns.map(({ value }) => value(click)),
  })
  if (rowCount === 1)
    await client.query({
      name: 'count-click',
      text: `insert into row_counters as counter values ($1, $2, date_trunc('minute', $3::timestamptz), $4, $5)
             on conflict (project_id, target, minute)
             do update set total = counter.total + excluded.total, bots = counter.bots + excluded.bots`,
      values: [projectId, target, occurredAt, bot ? 0 : 1, bot ? 1 : 0],
    })
  await client.query('commit')
}
