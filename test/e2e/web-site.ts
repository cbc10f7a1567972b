import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export interface WebSite {
  readonly origin: string
  /** The paths of the pages that browsers have asked for. */
  readonly visited: readonly string[]
}

/**
 * A web site on an origin of its own. The server is stopped when the test ends.
 *
 * @param headers of all answers, or of that to a path
 */
export async function startWebSite(
  html: (origin: string, url: string) => string,
  headers: Record<string, string> | ((url: string) => Record<string, string>) = {},
): Promise<WebSite> {
  const visited: string[] = []
  let origin = ''
  const server = createServer(({ url = '/' }, response) => {
    visited.push(url)
    const more = typeof headers === 'function' ? headers(url) : headers
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...more }).end(html(origin, url))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { origin, visited }
}
