import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

const advisory = {
  ...{ id: 1, url: 'https://github.com/advisories/GHSA-xxxx-yyyy-zzzz', title: 'an example', severity: 'high' },
  ...{ vulnerable_versions: '>0', cwe: [], cvss: { score: 9, vectorString: null } },
}

/** Runs the audit against a registry that answers with this. */
async function audit(status: number, answer: object): Promise<{ code: number | null; output: string }> {
  const registry = createServer((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    })
  })
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void registry.close())
  const { port } = registry.address() as AddressInfo
  const script = join(import.meta.dirname, '../audit.ts')
  const child = spawn(process.execPath, [script, `--registry=http://127.0.0.1:${port}`])
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  return await new Promise((resolve) => child.once('close', (code) => resolve({ code, output })))
}

test('an audit fails when the registry knows a vulnerability', async () => {
  const { code, output } = await audit(200, { pg: [advisory] })
  expect(output).toContain('GHSA-xxxx-yyyy-zzzz')
  expect(code).toBe(1)
})

test('an audit passes when the registry knows none', async () => {
  const { code, output } = await audit(200, {})
  expect(output).not.toContain('Nothing was checked')
  expect(code).toBe(0)
})

test('an audit says that nothing was checked where the registry offers none', async () => {
  const { code, output } = await audit(405, {})
  expect(output).toContain('Nothing was checked')
  expect(code).toBe(0)
})
