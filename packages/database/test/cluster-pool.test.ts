import { patience } from '@clicktally/testing/patience.ts'
import { createPostgresPair } from '@clicktally/testing/postgres-pair.ts'
import { TcpProxy } from '@clicktally/testing/tcp-proxy.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import type { Pool } from 'pg'
import { pino } from 'pino'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createPool, type DatabaseOptions } from '../pool.ts'

function poolOf(url: string, options: Partial<DatabaseOptions> = {}): Pool {
  const logger = pino({ level: 'silent' })
  const pool = createPool({ url, name: 'test', logger, maxConnections: 3, statementTimeoutMs: 60_000, ...options })
  onTestFinished(() => pool.end())
  return pool
}

async function isStandby(pool: Pool): Promise<boolean | undefined> {
  const { rows } = await pool.query<{ standby: boolean }>('select pg_is_in_recovery() as standby')
  return rows[0]?.standby
}

describe('a pool with several hosts', () => {
  test('connects to the primary only, and after a failover to the new one', async () => {
    const pair = await createPostgresPair()
    await pair.synchronize()
    // Each begins at a host of its own choice.
    const pools = Array.from({ length: 8 }, () => poolOf(pair.urlAs('processor')))
    for (const pool of pools) expect(await isStandby(pool)).toBe(false)

    await pair.primary.kill()
    await expect(isStandby(pools[0] as Pool)).rejects.toThrow()
    await pair.promote()
    for (const pool of pools) await vi.waitFor(async () => expect(await isStandby(pool)).toBe(false), patience)
  })

  test('says which host is a standby, if there is no primary', async () => {
    const pair = await createPostgresPair()
    await pair.primary.kill()
    const pool = poolOf(pair.urlAs('processor'))
    const message = `${pair.standby.host} is a standby, not the primary`
    for (let round = 0; round < 3; round += 1) await expect(pool.query('select 1')).rejects.toThrow(message)
  })

  test('may also connect to standbys, to read', async () => {
    const pair = await createPostgresPair()
    const pool = poolOf(pair.urlAs('api'), { accepts: 'any' })
    await pair.primary.kill()
    await vi.waitFor(async () => expect(await isStandby(pool)).toBe(true), patience)
  })

  test('goes on to the next host when one is away or silent', async () => {
    const { apiUrl } = await createTestDatabase()
    const { host, hostname, port } = new URL(apiUrl)
    const silent = await TcpProxy.open({ host: hostname, port: Number(port || 5432) })
    onTestFinished(() => silent.close())
    silent.silence()
    for (let round = 0; round < 4; round += 1) {
      const url = apiUrl.replace(host, `127.0.0.1:1,127.0.0.1:${silent.port},${host}`)
      expect(await isStandby(poolOf(url, { connectTimeoutMs: 1_000 }))).toBe(false)
    }
  })
})

test('a pool whose connections are all in use says so, whatever the number of hosts', async () => {
  const { apiUrl } = await createTestDatabase()
  const { host } = new URL(apiUrl)
  const pool = poolOf(apiUrl.replace(host, `${host},127.0.0.1:1`), { maxConnections: 1, connectTimeoutMs: 500 })
  const client = await pool.connect()
  await expect(pool.query('select 1')).rejects.toThrow('timeout exceeded when trying to connect')
  client.release()
  expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
})
