import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { topology } from '@clicktally/broker/topology.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { createTestBroker } from '@clicktally/testing/test-broker.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { Client } from 'pg'
import { describe, expect, onTestFinished, test, vi } from 'vitest'

const root = join(import.meta.dirname, '../../..')

/** Runs a program with a preload, like a service, and resolves with its output and how it ended. */
async function run(preload: string, variables: Record<string, string>, program: string, folder = 'packages/database') {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: join(root, folder),
    env: { ...process.env, NODE_OPTIONS: `--import ${join(import.meta.dirname, '../preload', preload)}`, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const [said, complained, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>,
  ])
  return { said, complained, code, signal }
}

describe('crash-after-commit', () => {
  async function openTable() {
    const { ownerUrl } = await createTestDatabase()
    const client = new Client({ connectionString: ownerUrl })
    await client.connect()
    onTestFinished(() => client.end())
    await client.query('create table batches (number int check (number < 100))')
    const stored = async () =>
      (await client.query('select number from batches order by 1')).rows.map((row) => row.number)
    return { ownerUrl, stored }
  }
  const program = (statements: string) => `
    import pg from 'pg'
    const pool = new pg.Pool({ connectionString: process.env.URL })
    const count = (number, db = pool) =>
      db.query({ name: 'count-clicks', text: 'insert into batches values ($1)', values: [number] })
    ${statements}
    await pool.end()`

  test('kills the process after the commit of a batch and before the next statement', async () => {
    const { ownerUrl, stored } = await openTable()
    const statements = `await pool.query('select 1'); await count(1); console.log('acknowledged 1'); await count(2); console.log('acknowledged 2')`
    const { said, signal } = await run(
      'crash-after-commit.ts',
      { URL: ownerUrl, CRASH_AFTER_BATCHES: '2' },
      program(statements),
    )
    expect([signal, said]).toEqual(['SIGKILL', 'acknowledged 1\n'])
    expect(await stored()).toEqual([1, 2])
  })

  test('kills the process after one of the first three batches by default', async () => {
    const { ownerUrl, stored } = await openTable()
    const statements = `for (let batch = 1; batch <= 4; batch += 1) await count(batch)`
    const { signal } = await run('crash-after-commit.ts', { URL: ownerUrl }, program(statements))
    expect(signal).toBe('SIGKILL')
    expect([1, 2, 3]).toContain((await stored()).length)
  })

  test('ignores failed and rolled back batches, and waits for the end of a transaction', async () => {
    const { ownerUrl, stored } = await openTable()
    const statements = `
      await count(100).catch(() => console.log('refused'))
      const client = await pool.connect()
      await client.query('begin'); await count(1, client); await client.query('rollback')
      await client.query('begin'); await count(2, client); console.log('not yet')
      await client.query('commit'); console.log('too late')`
    const { said, signal } = await run(
      'crash-after-commit.ts',
      { URL: ownerUrl, CRASH_AFTER_BATCHES: '1' },
      program(statements),
    )
    expect([signal, said]).toEqual(['SIGKILL', 'refused\nnot yet\n'])
    expect(await stored()).toEqual([2])
  })
})

describe('crash-on-sight', () => {
  const program = `
    import { connect } from 'amqplib'
    const channel = await (await connect(process.env.URL)).createChannel()
    await channel.consume(process.env.QUEUE, (message) => {
      console.log(message.content.toString())
      channel.ack(message)
      if (message.content.toString() === 'last') process.exit()
    })`

  test('kills the process before the consumer receives the message, which stays in the queue', async () => {
    const { url, channel, depth } = await createTestBroker()
    const publish = (content: string) => channel.publish(topology.exchange, topology.routingKey, Buffer.from(content))
    for (const content of ['healthy', 'a killer']) publish(content)
    await channel.waitForConfirms()
    const variables = { URL: url, QUEUE: topology.queue, CRASH_ON_SIGHT: 'killer' }
    const { said, signal } = await run('crash-on-sight.ts', variables, program, 'packages/broker')
    expect([signal, said.split('\n').includes('a killer')]).toEqual(['SIGKILL', false])
    // The broker requeues it when it notices the closed connection.
    await vi.waitFor(async () => expect(await depth()).toBeGreaterThan(0), patience)
  })

  test('ignores dead-lettered messages', async () => {
    const { url, channel } = await createTestBroker()
    for (const content of ['a killer', 'last'])
      channel.publish(topology.deadExchange, topology.routingKey, Buffer.from(content))
    await channel.waitForConfirms()
    const variables = { URL: url, QUEUE: topology.deadQueue, CRASH_ON_SIGHT: 'killer' }
    const { said, code } = await run('crash-on-sight.ts', variables, program, 'packages/broker')
    expect([code, said]).toEqual([0, 'a killer\nlast\n'])
  })

  test('requires CRASH_ON_SIGHT', async () => {
    const { code, complained } = await run('crash-on-sight.ts', {}, '')
    expect(code).not.toBe(0)
    expect(complained).toContain('CRASH_ON_SIGHT is not set')
  })
})

describe('clock-shift', () => {
  test.each([3_600_000, -3_600_000])(
    'shifts the current time by %i ms everywhere, and changes nothing else',
    async (shiftMs) => {
      const program = `
      const made = new Date(0)
      console.log(JSON.stringify({
        now: Date.now(), created: new Date().getTime(), called: Date.parse(Date()),
        made: made.toISOString(), instance: made instanceof Date && new Date() instanceof Date,
        utc: Date.UTC(2024, 1, 29), copied: new Date(made).getTime(), constructor: made.constructor === Date,
      }))`
      const before = Date.now()
      const { said, complained } = await run('clock-shift.ts', { CLOCK_SHIFT_MS: String(shiftMs) }, program)
      expect(complained).toBe('')
      const { now, created, called, ...rest } = JSON.parse(said)
      for (const time of [now, created, called + 999]) {
        expect(time - shiftMs).toBeGreaterThanOrEqual(before)
        expect(time - shiftMs).toBeLessThanOrEqual(Date.now() + 999)
      }
      expect(rest).toEqual({
        made: '1970-01-01T00:00:00.000Z',
        instance: true,
        utc: Date.UTC(2024, 1, 29),
        copied: 0,
        constructor: true,
      })
    },
  )
})
