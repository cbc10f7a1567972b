import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { serviceCheck } from '../constructs/services.ts'

test('a service is healthy once it is ready, and then as long as it lives', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'clicktally-check-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const status: Record<string, number> = { '/livez': 200, '/readyz': 503 }
  const server = createServer(({ url = '' }, response) => response.writeHead(status[url] ?? 404).end())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo

  const isHealthy = async (memory: string) => {
    const command = serviceCheck.replace('/3000', `/${port}`).replace('/dev/shm/ready', memory)
    const [code] = await once(spawn('bash', ['-c', command], { stdio: 'inherit' }), 'exit')
    return code === 0
  }
  const memory = join(folder, 'ready')
  assert.equal(await isHealthy(memory), false)
  status['/readyz'] = 200
  assert.equal(await isHealthy(memory), true)
  status['/readyz'] = 503
  assert.equal(await isHealthy(memory), true)
  assert.equal(await isHealthy(join(folder, 'missing/ready')), false)
  status['/readyz'] = 200
  assert.equal(await isHealthy(join(folder, 'missing/ready')), true)
  status['/livez'] = 500
  assert.equal(await isHealthy(memory), false)
})

test('a service that does not listen is not healthy', async () => {
  // Nothing listens at port 1.
  const command = serviceCheck.replace('/3000', '/1')
  const [code] = await once(spawn('bash', ['-c', command], { stdio: 'ignore' }), 'exit')
  assert.notEqual(code, 0)
})
