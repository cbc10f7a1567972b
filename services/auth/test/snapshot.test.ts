import { keysStreamArguments, keysTopology } from '@clicktally/broker/keys-topology.ts'
import { readKeyVersion } from '@clicktally/database/key-snapshot.ts'
import { decodeKeySnapshot, type KeySnapshot } from '@clicktally/keys/key-snapshot.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { createTestBroker, type TestBroker } from '@clicktally/testing/test-broker.ts'
import { type ConsumeMessage, connect } from 'amqplib'
import { pino } from 'pino'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { renewKeyVersion } from '../installation/key-version.ts'
import { SnapshotPublisher } from '../snapshot/snapshot-publisher.ts'
import { renewVisitorSalts, withoutOldSalts } from '../snapshot/visitor-salts.ts'
import { createAuth, firstKeys } from './auth-under-test.ts'

/** Collects all snapshots published from now on. */
async function watch(broker: TestBroker): Promise<KeySnapshot[]> {
  const seen: KeySnapshot[] = []
  await broker.channel.prefetch(100)
  await broker.channel.consume(
    keysTopology.stream,
    (message) => {
      if (message === null) return
      broker.channel.ack(message)
      seen.push(decodeKeySnapshot(message.properties.type, message.content))
    },
    { arguments: { 'x-stream-offset': 'first' } },
  )
  return seen
}

/** The offset of the oldest message in the stream. */
async function firstOffset({ url }: TestBroker): Promise<number> {
  const connection = await connect(url)
  const channel = await connection.createChannel()
  await channel.prefetch(1)
  const offset = await new Promise<number>((resolve) => {
    const take = (message: ConsumeMessage | null) => resolve(message?.properties.headers?.['x-stream-offset'] ?? -1)
    void channel.consume(keysTopology.stream, take, { arguments: { 'x-stream-offset': 'first' } })
  })
  await connection.close()
  return offset
}

async function startPublisher(publishEveryMs = 3_600_000) {
  const [auth, broker] = [await createAuth(), await createTestBroker()]
  const publisher = new SnapshotPublisher({
    ...{ db: auth.db, brokerUrl: await broker.urlAs('auth'), publishEveryMs },
    logger: pino({ level: 'silent' }),
  })
  onTestFinished(() => publisher.close())
  const seen = await watch(broker)
  publisher.start()
  await vi.waitFor(() => expect(seen.length).toBeGreaterThan(0), patience)
  return { auth, broker, publisher, seen }
}

describe('the key snapshots', () => {
  test('contain every valid key with its hash, and are published after each change', async () => {
    const { auth, publisher, seen } = await startPublisher()
    const ids = (snapshot: KeySnapshot | undefined) => snapshot?.keys.map(({ id }) => id).sort()
    expect(ids(seen[0])).toEqual(
      Object.values(firstKeys)
        .map(({ id }) => id)
        .sort(),
    )
    expect(seen[0]?.keys).toContainEqual({
      ...{ id: firstKeys.write.id, hash: firstKeys.write.hash, role: 'write', projectId: 1 },
      origins: ['http://localhost:8080'],
    })
    expect(JSON.stringify(seen)).not.toContain(firstKeys.write.text)
    await auth.asOwner('DELETE', `/v1/keys/${firstKeys.read.id}`)
    publisher.publish()
    await vi.waitFor(() => expect(ids(seen.at(-1))).toHaveLength(3), patience)
    expect(seen.at(-1)?.version).toBeGreaterThan(seen[0]?.version ?? 0)
    expect(publisher.publishedAtMs).toBeGreaterThan(Date.now() - 60_000)
  })

  test('are repeated at the interval, with the last known keys while the database is down', async () => {
    const { auth, seen } = await startPublisher(200)
    await vi.waitFor(() => expect(seen.length).toBeGreaterThan(2), patience)
    const { version } = seen[0] as KeySnapshot
    expect(seen.every((each) => each.version === version)).toBe(true)
    await auth.owner.query('revoke select on keys from clicktally_auth')
    const count = seen.length
    await vi.waitFor(() => expect(seen.length).toBeGreaterThan(count + 2), patience)
    expect(seen.at(-1)?.keys).toHaveLength(4)
  })

  test('replace a stream of an earlier version, which has other arguments', async () => {
    const [auth, broker] = [await createAuth(), await createTestBroker()]
    await broker.channel.deleteQueue(keysTopology.stream)
    const earlier = { ...keysStreamArguments, 'x-stream-max-segment-size-bytes': 1_000_000 }
    await broker.channel.assertQueue(keysTopology.stream, { durable: true, arguments: earlier })
    const publisher = new SnapshotPublisher({
      ...{ db: auth.db, brokerUrl: await broker.urlAs('auth'), publishEveryMs: 3_600_000 },
      logger: pino({ level: 'silent' }),
    })
    onTestFinished(() => publisher.close())
    publisher.start()
    await vi.waitFor(async () => {
      const stream = await broker.manage('GET', `/queues/{vhost}/${keysTopology.stream}`)
      expect(stream).toMatchObject({ arguments: keysStreamArguments })
      expect(publisher.publishedAtMs).toBeDefined()
    }, patience)
  })

  test('are deleted from the stream over time, when new segments begin', async () => {
    const broker = await createTestBroker()
    await broker.channel.deleteQueue(keysTopology.stream)
    const quick = { ...keysStreamArguments, 'x-max-age': '1s' }
    await broker.channel.assertQueue(keysTopology.stream, { durable: true, arguments: quick })
    let sent = 0
    const send = async (count: number) => {
      for (let each = 0; each < count; each += 1) {
        broker.channel.sendToQueue(keysTopology.stream, Buffer.alloc(4_000, String(sent++)))
        await broker.channel.waitForConfirms()
      }
    }
    await send(40)
    await vi.waitFor(async () => {
      // A segment has 16 messages. Expired segments are deleted when the next one begins: after each turn, however slow it is.
      await send(16)
      const seen = await firstOffset(broker)
      expect(seen).toBeGreaterThan(30)
    }, patience)
  })

  test('are published again after the stream was deleted', async () => {
    const { broker, publisher } = await startPublisher()
    await broker.channel.deleteQueue(keysTopology.stream)
    publisher.publish()
    await vi.waitFor(async () => {
      expect(await broker.manage('GET', `/queues/{vhost}/${keysTopology.stream}`)).toMatchObject({ type: 'stream' })
    }, patience)
    const seen = await watch(broker)
    await vi.waitFor(() => expect(seen.at(-1)?.keys).toHaveLength(4), patience)
  })
})

test('after a restore the keys have a version that no service has seen', async () => {
  const auth = await createAuth()
  const version = async () => await readKeyVersion(auth.db)
  const backedUp = await version()
  await auth.owner.query(`update projects set derives_visitors = false`)
  const seen = await version()
  expect(seen).toBeGreaterThan(backedUp)
  await auth.owner.query('update key_version set version = $1', [backedUp])
  await renewKeyVersion(auth.db)
  const renewed = await version()
  expect(renewed).toBeGreaterThan(seen)
  await auth.owner.query('update key_version set version = $1', [backedUp])
  await auth.owner.query(`update projects set derives_visitors = true`)
  expect(await version()).toBeGreaterThan(renewed)
})

test('salts exist for today and tomorrow, and are deleted 48 hours after their day began', async () => {
  const auth = await createAuth()
  const days = async () =>
    (
      await auth.owner.query<{ day: string }>(
        `select to_char(day, 'YYYY-MM-DD') as day from visitor_salts order by day`,
      )
    ).rows.map(({ day }) => day)
  await renewVisitorSalts(auth.db, new Date('2026-11-28T23:59:59Z'))
  expect(await days()).toEqual(['2026-11-28', '2026-11-29'])
  const version = async () => (await auth.owner.query('select version from key_version')).rows[0].version
  const before = await version()
  await renewVisitorSalts(auth.db, new Date('2026-11-28T23:59:59Z'))
  expect(await version()).toBe(before)
  await renewVisitorSalts(auth.db, new Date('2026-11-29T00:00:00Z'))
  expect(await days()).toEqual(['2026-11-28', '2026-11-29', '2026-11-30'])
  await renewVisitorSalts(auth.db, new Date('2026-11-30T00:00:00Z'))
  expect(await days()).toEqual(['2026-11-29', '2026-11-30', '2026-12-01'])
  const { rows } = await auth.owner.query('select salt from visitor_salts')
  expect(new Set(rows.map(({ salt }) => salt.toString('hex'))).size).toBe(3)
})

test('a deleted salt is removed from the file of the table', async () => {
  const auth = await createAuth()
  const file = async (): Promise<Buffer> => {
    await auth.owner.query('checkpoint')
    return (await auth.owner.query(`select pg_read_binary_file(pg_relation_filepath('visitor_salts')) as file`)).rows[0]
      .file
  }
  // A transaction that began before the deletion, such as an automatic analyze, keeps the row until the next one: with other days.
  let dayMs = Date.parse('2026-11-28T12:00:00Z')
  await vi.waitFor(async () => {
    dayMs += 10 * 86_400_000
    await renewVisitorSalts(auth.db, new Date(dayMs))
    const { rows } = await auth.owner.query('select salt from visitor_salts order by day')
    const [deleted, kept] = rows.map(({ salt }) => salt)
    expect([(await file()).includes(deleted), (await file()).includes(kept)]).toEqual([true, true])
    await renewVisitorSalts(auth.db, new Date(dayMs + 2 * 86_400_000 - 43_200_000))
    expect([(await file()).includes(deleted), (await file()).includes(kept)]).toEqual([false, true])
  }, patience)
})

test('a snapshot that is repeated while the database is down omits the salts that are due for deletion', () => {
  const visitorSalts = { '2026-11-27': 'a', '2026-11-28': 'b', '2026-11-29': 'c' }
  const snapshot: KeySnapshot = { version: 1, publishedAtMs: 0, projects: [], keys: [], visitorSalts }
  const daysAt = (time: string) => Object.keys(withoutOldSalts(snapshot, Date.parse(time)).visitorSalts)
  expect(daysAt('2026-11-28T23:59:59.999Z')).toEqual(['2026-11-27', '2026-11-28', '2026-11-29'])
  expect(daysAt('2026-11-29T00:00:00Z')).toEqual(['2026-11-28', '2026-11-29'])
  expect(daysAt('2026-12-05T00:00:00Z')).toEqual([])
})
