import { decodeMessage } from '@clicktally/contract/clicks-message.ts'
import { type ConsumeMessage, connect } from 'amqplib'
import { Client } from 'pg'

// Row by row, as most tutorials store what comes from a queue: for each click a transaction with one INSERT and, where the
// click is new, one UPSERT of its counter; one after the other over one connection, with prepared statements. A message is
// acknowledged after its last click. There are no sketches of visitors and no ledger.
// Settings and result travel as messages: see child-task.ts.

export interface RowByRowSettings {
  readonly amqpUrl: string
  readonly queue: string
  readonly databaseUrl: string
  /** It ends after so many. */
  readonly clicks: number
}

export interface RowByRowResult {
  /** From the first message to the last commit. */
  readonly seconds: number
  /** The sum of its counters. */
  readonly counted: number
}

/** More than the one that is worked on, so that it never waits for the next. */
const prefetch = 10

process.once('message', async ({ amqpUrl, queue, databaseUrl, clicks }: RowByRowSettings) => {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  await client.query(
    `create table row_counters (project_id int, target text collate "C", minute timestamptz, total bigint not null, bots bigint not null, primary key (project_id, target, minute))`,
  )
  const connection = await connect(amqpUrl, { noDelay: true })
  const channel = await connection.createChannel()
  await channel.prefetch(prefetch)
  let startedAtMs: number | undefined
  let stored = 0
  let waiting = Promise.resolve()
  const done = Promise.withResolvers<void>()
  const take = async (message: ConsumeMessage) => {
    const { clicks: taken, undecodable } = decodeMessage(message.properties.type, message.content)
    if (undecodable.length > 0) throw new Error(`a message can not be read: ${undecodable[0]?.detail}`)
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
  process.send?.({ seconds, counted: rows[0].counted } satisfies RowByRowResult)
  process.disconnect()
})

async function storeClick(client: Client, click: ReturnType<typeof decodeMessage>['clicks'][number]): Promise<void> {
  const { id, projectId, occurredAtMs, receivedAtMs, bot = false, target, visitorId, url, referrer, props } = click
  const occurredAt = new Date(occurredAtMs)
  await client.query('begin')
  const { rowCount } = await client.query({
    name: 'insert-click',
    text: `insert into clicks (id, project_id, occurred_at, received_at, bot, target, visitor_id, url, referrer, props)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (id, project_id) do nothing`,
    values: [id, projectId, occurredAt, new Date(receivedAtMs), bot, target, visitorId, url, referrer, props],
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
