import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
// @ts-expect-error It is JavaScript, as it runs before anything is installed.
import { manifestAndLock, pnpm } from '../pinned-tools.mjs'

const tampered = gzipSync('not the package')
const integrity = `sha512-${createHash('sha512').update(tampered).digest('base64')}`

/** A registry that offers every version with a package and a checksum of its own. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const path = decodeURIComponent(request.url ?? '').slice(1)
  if (path.endsWith('.tgz')) {
    response.end(tampered)
    return
  }
  const { version } = pnpm
  const dist = { tarball: `http://${request.headers.host}/${path}.tgz`, integrity }
  const versions = { [version]: { name: path, version, dist } }
  response
    .writeHead(200, { 'content-type': 'application/json' })
    .end(JSON.stringify({ name: path, 'dist-tags': { latest: version }, versions }))
}

test('a tool that the registry has replaced is not installed', async () => {
  const registry = createServer(answer)
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve))
  const dir = await mkdtemp(join(tmpdir(), 'clicktally-tools-'))
  onTestFinished(async () => {
    registry.close()
    await rm(dir, { recursive: true, force: true })
  })
  for (const [name, content] of Object.entries(manifestAndLock(pnpm))) {
    await writeFile(join(dir, name), JSON.stringify(content))
  }
  const { port } = registry.address() as AddressInfo
  const options = [`--registry=http://127.0.0.1:${port}`, `--cache=${join(dir, 'cache')}`, '--no-audit', '--no-fund']
  const child = spawn('npm', ['ci', ...options], { cwd: dir })
  let output = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const code = await new Promise((resolve) => child.once('close', resolve))
  expect(output).toContain('EINTEGRITY')
  expect(code).not.toBe(0)
  expect(existsSync(join(dir, 'node_modules/pnpm'))).toBe(false)
})
