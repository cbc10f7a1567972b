import { readFile, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { localDir } from '@clicktally/local/files/local-folder.ts'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { freePort } from '@clicktally/local/ports.ts'
import { findNginx, startNginx } from '@clicktally/local/servers/nginx.ts'
import { defaultNginxSettings, type NginxSettings } from '@clicktally/local/servers/nginx-settings.ts'
import { upstreamNames } from '@clicktally/system/parts.ts'
import { cachedPages } from '@clicktally/web/build/pages.ts'
import { onTestFinished } from 'vitest'

export interface NginxUnderTest {
  readonly port: number
  /** The HTTPS port, if the settings enable TLS. */
  readonly tlsPort: number
  /** Always plain HTTP, even if TLS is enabled. */
  readonly internalPort: number
  /** The folder that nginx writes to. */
  readonly dir: string
  /** The requests that nginx forwarded to a service, in order. */
  readonly passed: readonly IncomingMessage[]
  /** The bodies of those requests that are complete. */
  readonly bodies: ReadonlyMap<IncomingMessage, string>
  /** The error codes of forwarded requests that were not valid HTTP. */
  readonly malformed: readonly string[]
  /** What the launcher tells. */
  readonly lines: readonly string[]
  log(): Promise<string>
  /** Makes all services unreachable. */
  stopServices(): Promise<void>
}

/**
 * A real nginx with our configuration, in front of one HTTP server in place of all services. It answers POST with 202,
 * and GET with 200, cacheable for a minute. Both are stopped when the test ends.
 */
export async function startNginxUnderTest(settings: Partial<NginxSettings> = {}): Promise<NginxUnderTest> {
  const scratch = await makeScratchFolder('nginx')
  onTestFinished(() => rm(scratch, { recursive: true, force: true }))
  const passed: IncomingMessage[] = []
  const bodies = new Map<IncomingMessage, string>()
  const services = createServer((request, response) => {
    passed.push(request)
    let body = ''
    request.setEncoding('latin1').on('data', (text: string) => {
      body += text
    })
    request.on('end', () => {
      bodies.set(request, body)
      const headers = { 'content-type': 'application/json', 'x-accel-expires': '60' }
      response.writeHead(request.method === 'POST' ? 202 : 200, headers).end('{}\n')
    })
  })
  const malformed: string[] = []
  services.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code?.startsWith('HPE_')) malformed.push(error.code)
    socket.destroy()
  })
  await new Promise<void>((resolve) => services.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => close(services))
  const servicePort = (services.address() as AddressInfo).port
  const [port, tlsPort] = [await freePort(), await freePort()]
  const host = '127.0.0.1'
  const logPath = join(scratch, 'nginx.log')
  const lines: string[] = []
  const { stop, internalPort } = await startNginx({
    dir: join(scratch, 'nginx'),
    upstreams: Object.fromEntries(upstreamNames.map((name) => [name, [servicePort]])),
    settings: { ...defaultNginxSettings, listen: { host, port }, listenTls: { host, port: tlsPort }, ...settings },
    pages: await cachedPages(join(localDir, 'pages'), () => {}),
    logPath,
    supervision: { onLine: (line) => lines.push(line) },
    certificateEveryMs: 100,
    installation: await findNginx({ toolsDir: localDir, onLine: () => {} }),
  })
  onTestFinished(stop)
  passed.length = 0
  return {
    ...{ port, tlsPort, internalPort, dir: scratch, passed, bodies, malformed, lines },
    log: () => readFile(logPath, 'utf8'),
    stopServices: () => close(services),
  }
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}
