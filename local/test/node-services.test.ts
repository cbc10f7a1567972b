import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { makeScratchFolder } from '../files/scratch-folder.ts'
import { freePort } from '../ports.ts'
import { SupervisedProgram } from '../processes/supervised-program.ts'
import { unprivilegedUser } from '../processes/unprivileged-user.ts'
import { nodeService } from '../services/node-services.ts'

/** Starts a service with this source. If `port` is given, the launcher passes it to the service and waits for /readyz. */
async function startService(source: string, port?: number) {
  const dir = await makeScratchFolder('service')
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const entry = join(dir, 'main.ts')
  await writeFile(entry, source, { mode: 0o644 })
  const user = await unprivilegedUser({ folders: [dir], programs: [process.execPath] })
  const service = { name: 'service', entry, port, variables: {}, logPath: join(dir, 'service.log'), user }
  const program = new SupervisedProgram(nodeService(service), { onLine: () => {} })
  onTestFinished(() => program.stop())
  await program.start()
  return program
}

test('a service that listens is ready when /readyz says so', async () => {
  const port = await freePort()
  const source = `
    import { createServer } from 'node:http'
    let ready = false
    setTimeout(() => { ready = true }, 300)
    createServer((_, response) => response.writeHead(ready ? 200 : 503).end()).listen(process.env.PORT, process.env.HOST)`
  const startedAtMs = performance.now()
  await startService(source, port)
  expect(performance.now() - startedAtMs).toBeGreaterThan(300)
  expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200)
})

test('a service that does not listen gets no port, is ready while it runs, and is restarted when it ends', async () => {
  const program = await startService(`
    if (process.env.PORT !== undefined) throw new Error('a port')
    setInterval(() => {}, 1_000)`)
  expect(program.state).toBe('running')
  program.signal('SIGKILL')
  await vi.waitFor(() => expect(program.restarts).toBe(1), { timeout: 300_000 })
  expect(await program.ready(300_000)).toBe(true)
})
