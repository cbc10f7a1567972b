import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/**
 * Passes requests about projects on to auth and all others to the api, until the test ends.
 *
 * @returns its URL
 */
export async function startGateway(authUrl: string, apiUrl: string): Promise<string> {
  const server = createServer((incoming, response) => {
    const { url = '/', method, headers } = incoming
    const target = new URL(url, url.startsWith('/v1/projects') ? authUrl : apiUrl)
    const forwarded = request(target, { method, headers: { ...headers, host: target.host } }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    forwarded.on('error', () => response.destroy())
    incoming.pipe(forwarded)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
