import { execFile } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { type System, startSystem } from '@clicktally/local/system.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'

const root = join(import.meta.dirname, '../../..')
let dir: string
let system: System
/** The examples, for this system and with a valid key, by their language. */
let examples: Readonly<Record<string, string>>

beforeAll(async () => {
  dir = await makeScratchFolder('reading-guide')
  system = await startSystem({ dir, port: 0, ingests: 1, processors: 1, onLine: () => {} })
  const { text } = await post<{ text: string }>('/v1/keys', { role: 'read', label: 'guide' })
  await post('/v1/events', { target: 'signup' })
  await vi.waitFor(async () => {
    const answer = await fetch(new URL('/v1/counts', system.baseUrl), { headers: { authorization: `Bearer ${text}` } })
    expect(await answer.json()).toMatchObject({ total: 1 })
  }, patience)
  const guide = await readFile(join(root, 'docs/reading.md'), 'utf8')
  examples = Object.fromEntries(
    [...guide.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, code = '']) => [
      language,
      code.replaceAll('https://counts.example', system.baseUrl).replaceAll('ct_r_…', text),
    ]),
  )
})

afterAll(async () => {
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

async function post<Answer>(path: string, body: object): Promise<Answer> {
  const headers = { authorization: `Bearer ${system.ownerKey}`, 'content-type': 'application/json' }
  const url = new URL(path, system.baseUrl)
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${path} was answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as Answer
}

test('the commands of the guide are answered', async () => {
  // Each answer on a line of its own.
  const code = examples.sh?.replace('"; }', '" && echo; }') ?? ''
  const { stdout } = await promisify(execFile)('bash', ['-euc', code])
  const answers = stdout.trim().split('\n')
  expect(answers.map((answer) => Object.keys(JSON.parse(answer))[0])).toEqual([
    ...['total', 'points', 'targets', 'dimension'],
  ])
})

test('an assistant that is set up as in the guide gets answers', async () => {
  const { mcpServers } = JSON.parse(examples.json ?? '') as {
    mcpServers: { clicktally: { command: string; args: string[]; env: Record<string, string> } }
  }
  const { command, args, env } = mcpServers.clicktally
  const client = new Client({ name: 'test', version: '1.0.0' })
  onTestFinished(() => client.close())
  const here = args.map((arg) => arg.replace('/opt/clicktally', root))
  await client.connect(new StdioClientTransport({ command, args: here, env: { ...env, PATH: process.env.PATH ?? '' } }))
  const { structuredContent } = await client.callTool({ name: 'count', arguments: {} })
  expect(structuredContent).toMatchObject({ total: 1 })
})
