import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { startWebSite } from '@clicktally/e2e/web-site.ts'
import { readFirstKeys } from '@clicktally/keys/first-keys.ts'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { type System, startSystem } from '@clicktally/local/system.ts'
import { openPage } from '@clicktally/testing/browser.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { build } from 'vite'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'

const examples = join(import.meta.dirname, '..')
const run = promisify(execFile)
let dir: string
let system: System
/** What the examples for servers get. */
let env: NodeJS.ProcessEnv

beforeAll(async () => {
  dir = await makeScratchFolder('examples')
  system = await startSystem({ dir, port: 0, ingests: 1, processors: 1, onLine: () => {} })
  const { secret } = readFirstKeys(join(system.secretsDir, 'operator'))
  env = { PATH: process.env.PATH, CLICKTALLY_URL: system.baseUrl, CLICKTALLY_KEY: secret, PORT: '0' }
})

afterAll(async () => {
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

/** Waits until these clicks are counted on a target: those of programs too, which a headless browser is. */
async function expectCounted(target: string, clicks = 1): Promise<void> {
  const url = new URL(`/v1/counts?target=${encodeURIComponent(target)}`, system.baseUrl)
  await vi.waitFor(async () => {
    const response = await fetch(url, { headers: { authorization: `Bearer ${system.ownerKey}` } })
    const { total, bots } = (await response.json()) as { total: number; bots: number }
    expect({ target, clicks: total + bots }).toEqual({ target, clicks })
  }, patience)
}

/** Starts a server of the examples. @returns its address, and what stops it in order */
async function startServer(file: string): Promise<{ origin: string; stop(): Promise<void> }> {
  const child = spawn(process.execPath, [join(examples, file)], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  for await (const line of createInterface(child.stdout)) {
    const [, port] = /^listening on port (\d+)$/.exec(line) ?? []
    if (port === undefined) continue
    return {
      origin: `http://localhost:${port}`,
      async stop() {
        child.kill('SIGTERM')
        expect(await once(child, 'exit')).toEqual([0, null])
      },
    }
  }
  throw new Error(`${file} ended before it listened`)
}

/** A write key for the pages of an origin, once ingest accepts it. */
async function createWriteKey(origin: string): Promise<string> {
  const response = await fetch(new URL('/v1/keys', system.baseUrl), {
    method: 'POST',
    headers: { authorization: `Bearer ${system.ownerKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ role: 'write', origins: [origin] }),
  })
  const { text } = (await response.json()) as { text: string }
  await vi.waitFor(async () => {
    const answer = await fetch(new URL(`/v1/c?key=${text}`, system.baseUrl), {
      ...{ method: 'POST', headers: { origin }, body: '{}' },
    })
    expect(answer.status).toBe(422)
  }, patience)
  return text
}

test('Express: sends what is queued before it ends', async () => {
  const { origin, stop } = await startServer('express/server.js')
  expect(await (await fetch(`${origin}/download/price-list.pdf`)).text()).toBe('Here would be price-list.pdf.')
  await stop()
  await expectCounted('download: price-list.pdf')
})

test('Fastify: sends what is queued before it ends', async () => {
  const { origin, stop } = await startServer('fastify/server.js')
  expect((await fetch(`${origin}/cart/lamp`, { method: 'POST' })).status).toBe(204)
  await stop()
  await expectCounted('add-to-cart')
})

test('Next: a route handler counts and redirects to known links only, and a server action counts', async () => {
  const program = `
    import { GET } from './app/out/route.js'
    import { subscribe } from './actions.js'
    import { clicks } from './clicks.js'
    const answers = []
    for (const to of ['github', 'https://evil.example', '__proto__']) {
      const { status, headers } = await GET(new Request('https://site.example/out?to=' + encodeURIComponent(to)))
      answers.push([status, headers.get('location')])
    }
    const form = new FormData()
    form.set('list', 'news')
    await subscribe(form)
    await clicks.close()
    console.log(JSON.stringify(answers))`
  const args = ['--input-type=module', '--eval', program]
  const { stdout } = await run(process.execPath, args, { cwd: join(examples, 'next'), env })
  expect(JSON.parse(stdout)).toEqual([
    [302, 'https://github.com/'],
    [404, null],
    [404, null],
  ])
  await expectCounted('out: github')
  await expectCounted('subscribe')
})

test('Python: sends a click with an id of its own', async () => {
  const { stdout } = await run('python3', [join(examples, 'python/clicks.py'), 'from-python'], { env })
  expect(stdout.trim()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  await expectCounted('from-python')
})

test('curl: sends a click with an id of its own', async () => {
  const { stdout } = await run(join(examples, 'curl/send.sh'), ['backup-finished'], { env })
  expect(JSON.parse(stdout)).toMatchObject({ status: 'accepted' })
  await expectCounted('backup-finished')
})

test('plain HTML: counts a button and a download', async () => {
  let html = ''
  const site = await startWebSite(() => html)
  html = (await readFile(join(examples, 'html/index.html'), 'utf8'))
    .replaceAll('https://counts.example', system.baseUrl)
    .replaceAll('ct_w_…', await createWriteKey(site.origin))
  const page = await openPage()
  await page.goto(site.origin)
  await page.waitForFunction(() => 'clicktally' in globalThis)
  await page.getByRole('button', { name: 'Buy' }).click()
  await page.getByRole('link', { name: 'Prices' }).click()
  await expectCounted('buy')
  await expectCounted('download: /prices.pdf')
})

test.each([
  ['react', 'pro'],
  ['vue', 'team'],
])('%s: counts a click on a button with its props', async (name, plan) => {
  const files = new Map<string, string>()
  const types: Record<string, string> = { html: 'text/html', js: 'text/javascript' }
  const site = await startWebSite(
    (_origin, url) => files.get(url === '/' ? 'index.html' : url.slice(1)) ?? '',
    (url) => ({ 'content-type': types[url.split('.').at(-1) ?? ''] ?? 'text/html' }),
  )
  const key = await createWriteKey(site.origin)
  const built = await build({
    root: join(examples, name),
    configFile: false,
    logLevel: 'warn',
    define: {
      'import.meta.env.VITE_CLICKTALLY_URL': JSON.stringify(system.baseUrl),
      'import.meta.env.VITE_CLICKTALLY_KEY': JSON.stringify(key),
    },
    oxc: { jsx: { runtime: 'automatic' } },
    build: { write: false, modulePreload: { polyfill: false } },
  })
  for (const { output } of [built].flat() as { output: readonly BuiltFile[] }[]) {
    for (const file of output) files.set(file.fileName, file.type === 'chunk' ? file.code : String(file.source))
  }
  const page = await openPage()
  await page.goto(site.origin)
  await page.getByRole('button', { name: 'Sign up' }).click()
  await vi.waitFor(async () => {
    const url = new URL('/v1/events?personal=true&target=signup&limit=10', system.baseUrl)
    const response = await fetch(url, { headers: { authorization: `Bearer ${system.ownerKey}` } })
    const { clicks } = (await response.json()) as { clicks: object[] }
    expect(clicks).toContainEqual(expect.objectContaining({ url: `${site.origin}/`, props: { plan } }))
  }, patience)
})

type BuiltFile =
  | { readonly type: 'chunk'; readonly fileName: string; readonly code: string }
  | { readonly type: 'asset'; readonly fileName: string; readonly source: string | Uint8Array }
