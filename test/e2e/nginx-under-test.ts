import { readFile, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type DoorSettings, defaultDoorSettings } from '@clicktally/local/door-settings.ts'
import { localDir } from '@clicktally/local/local-folder.ts'
import { findNginx, startNginx } from '@clicktally/local/nginx.ts'
import { freePort } from '@clicktally/local/ports.ts'
import { makeScratchFolder } from '@clicktally/local/scratch-folder.ts'
import { onTestFinished } from 'vitest'

export interface NginxUnderTest {
  readonly port: number
  /** What it writes to. */
  readonly dir: string
  /** What came through to a service, in order. */
  readonly passed: readonly IncomingMessage[]
  log(): Promise<string>
  /** No service can be reached any more. */
  stopServices(): Promise<void>
}

/**
 * A real nginx with our configuration, in front of one HTTP server that stands for both services: it answers POST with
 * 202 and GET with 200, fresh for a minute. Gone when the test is over.
 */
export async function startNginxUnderTest(settings: Partial<DoorSettings> = {}): Promise<NginxUnderTest> {
  const scratch = await makeScratchFolder('nginx')
  onTestFinished(() => rm(scratch, { recursive: true, force: true }))
  const passed: IncomingMessage[] = []
  const services = createServer((request, response) => {
    passed.push(request)
    request.resume().on('end', () => {
      const headers = { 'content-type': 'application/json', 'cache-control': 'max-age=60' }
      response.writeHead(request.method === 'POST' ? 202 : 200, headers).end('{}\n')
    })
  })
  await new Promise<void>((resolve) => services.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => close(services))
  const servicePort = (services.address() as AddressInfo).port
  const port = await freePort()
  const logPath = join(scratch, 'nginx.log')
  const nginx = await startNginx({
    dir: join(scratch, 'nginx'),
    port,
    ingestPorts: [servicePort],
    apiPorts: [servicePort],
    door: { ...defaultDoorSettings, ...settings },
    logPath,
    supervision: { onLine: () => {} },
    installation: await findNginx({ toolsDir: localDir, onLine: () => {} }),
  })
  onTestFinished(() => nginx.stop())
  passed.length = 0
  return { port, dir: scratch, passed, log: () => readFile(logPath, 'utf8'), stopServices: () => close(services) }
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}
