import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { createPool } from '../pool.ts'

const authenticationOk = Buffer.from([...Buffer.from('R'), 0, 0, 0, 8, 0, 0, 0, 0])
const readyForQuery = Buffer.from([...Buffer.from('Z'), 0, 0, 0, 5, ...Buffer.from('I')])
const fatalFields = Buffer.from('SFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0')
const fatal = Buffer.concat([Buffer.from('E\0\0\0'), Buffer.from([fatalFields.length + 4]), fatalFields])

test('a server that dies while a connection is being opened fails the query, not the process', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    // All in one packet, which pg reads without a pause.
    socket.once('data', () => socket.end(Buffer.concat([authenticationOk, readyForQuery, fatal])))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const pool = createPool({
    ...{ url: `postgres://a:b@127.0.0.1:${port}/c`, name: 'test', logger: pino({ level: 'silent' }) },
    ...{ maxConnections: 1, statementTimeoutMs: 1_000 },
  })
  onTestFinished(() => pool.end())
  await expect(pool.query('select 1')).rejects.toThrow('not queryable')
  expect(pool.totalCount).toBe(0)
})
