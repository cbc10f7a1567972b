import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readFirstKeys } from '@clicktally/keys/first-keys.ts'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { type System, startSystem } from '@clicktally/local/system.ts'
import { openPage } from '@clicktally/testing/browser.ts'
import { patience } from '@clicktally/testing/patience.ts'
import type { Page } from 'playwright-core'
import { build } from 'vite'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startWebSite } from '../web-site.ts'

let dir: string
let system: System

beforeAll(async () => {
  dir = await makeScratchFolder('sending-guide')
  system = await startSystem({ dir, port: 0, ingests: 1, processors: 1, onLine: () => {} })
})

afterAll(async () => {
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

interface Example {
  readonly language: string
  readonly code: string
}

/** The examples of the guide, in their order, for this system and with valid keys. */
async function readExamples(writeKey: string, secretKey: string): Promise<Example[]> {
  const guide = await readFile(join(import.meta.dirname, '../../../docs/sending.md'), 'utf8')
  return [...guide.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = '', code = '']) => ({
    language,
    code: code
      .replaceAll('https://counts.example', system.baseUrl)
      .replaceAll(
        "protocol: 'https', apiHost: 'counts.example",
        `protocol: 'http', apiHost: '${new URL(system.baseUrl).host}`,
      )
      .replaceAll('ct_w_…', writeKey)
      .replaceAll('ct_s_…', secretKey),
  }))
}

async function createWriteKey(origin: string): Promise<string> {
  const response = await fetch(new URL('/v1/keys', system.baseUrl), {
    method: 'POST',
    headers: { authorization: `Bearer ${system.ownerKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ role: 'write', origins: [origin] }),
  })
  const { text } = (await response.json()) as { text: string }
  await vi.waitFor(async () => {
    const headers = { origin }
    const answer = await fetch(new URL(`/v1/c?key=${text}`, system.baseUrl), { method: 'POST', headers, body: '{}' })
    expect(answer.status).toBe(422)
  }, patience)
  return text
}

async function countedTargets(): Promise<Record<string, number>> {
  const response = await fetch(new URL('/v1/counts/top?limit=100', system.baseUrl), {
    headers: { authorization: `Bearer ${system.ownerKey}` },
  })
  const { targets } = (await response.json()) as { targets: { target: string; total: number; bots: number }[] }
  // A headless browser counts as a bot.
  return Object.fromEntries(targets.map(({ target, total, bots }) => [target, total + bots]))
}

/** Runs an example as a reader would. @returns what it prints */
async function run({ language, code }: Example, page: Page): Promise<string> {
  if (language === 'sh') return (await promisify(execFile)('bash', ['-euc', code])).stdout
  if (code.includes("from '@segment/analytics-next'")) {
    await page.addScriptTag({ type: 'module', content: await bundled(code) })
    return ''
  }
  if (code.includes("from '@segment/")) {
    // Where the library is installed.
    const args = ['--input-type=module', '--eval', code]
    return (
      await promisify(execFile)(process.execPath, args, { cwd: join(import.meta.dirname, '../../../services/ingest') })
    ).stdout
  }
  if (language === 'js') await page.evaluate(`(async () => {${code}})()`)
  else {
    // A page of its own; the site shows what is in the address.
    await page.goto(`${new URL(page.url()).origin}/?html=${encodeURIComponent(code)}`)
    await page.waitForLoadState('networkidle')
    for (const button of await page.locator('[data-clicktally]').all()) await button.click()
  }
  return ''
}

/** A module for browsers with all that it imports. */
async function bundled(code: string): Promise<string> {
  const name = 'virtual:example'
  const built = await build({
    root: join(import.meta.dirname, '..'),
    configFile: false,
    logLevel: 'warn',
    plugins: [
      { name, resolveId: (id) => (id === name ? id : undefined), load: (id) => (id === name ? code : undefined) },
    ],
    build: {
      write: false,
      modulePreload: false,
      rolldownOptions: { input: name, output: { codeSplitting: false }, checks: { bundlerTimings: false } },
    },
  })
  const [{ output } = { output: [] }] = [built].flat() as { output: readonly { readonly code?: string }[] }[]
  return output[0]?.code ?? ''
}

test('every example of the guide works', async () => {
  const site = await startWebSite((_origin, url) => {
    const html = new URL(url, 'http://site').searchParams.get('html') ?? ''
    return `<!doctype html><title>site</title><body>${html}</body>`
  })
  const { secret } = readFirstKeys(join(system.secretsDir, 'operator'))
  const examples = await readExamples(await createWriteKey(site.origin), secret)
  expect(examples.map(({ language }) => language)).toEqual([
    ...['html', 'js', 'html', 'sh', 'js', 'js', 'html', 'sh', 'js', 'js'],
  ])
  const page = await openPage()
  await page.goto(site.origin)
  // Segment's library for browsers sends again, with a header that the server has to allow.
  let failures = 1
  await page.route('**/segment/v1/t', async (route) => {
    if (route.request().method() === 'POST' && failures-- > 0) await route.fulfill({ status: 503 })
    else await route.continue()
  })
  const printed: string[] = []
  for (const example of examples) printed.push(await run(example, page))
  await vi.waitFor(async () => {
    expect(await countedTargets()).toEqual({
      ...{ signup: 1, 'video: intro': 1, 'page opened': 1, 'own fetch': 1, 'own beacon': 1 },
      ...{ newsletter: 1, 'order placed': 1, 'Order Completed': 1, 'Plan Chosen': 1 },
    })
  }, patience)
  const script = Buffer.from(await (await fetch(new URL('/tally.js', system.baseUrl))).arrayBuffer())
  expect(printed[3]?.trim()).toBe(`sha384-${createHash('sha384').update(script).digest('base64')}`)
  expect(JSON.parse(printed[7] ?? '')).toMatchObject({ status: 'accepted' })
})

test('a link counts each visit through nginx', async () => {
  const created = await fetch(new URL('/v1/links', system.baseUrl), {
    method: 'POST',
    headers: { authorization: `Bearer ${system.ownerKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ slug: 'spring', url: 'https://shop.example/spring' }),
  })
  expect(created.status).toBe(201)
  const follow = (path: string, method = 'GET') =>
    fetch(new URL(path, system.baseUrl), {
      method,
      redirect: 'manual',
      headers: { 'user-agent': 'Mozilla/5.0 Firefox/140.0' },
    })
  // The ingest may not know it yet.
  await vi.waitFor(async () => expect((await follow('/l/spring', 'HEAD')).status).toBe(302), patience)
  for (const path of ['/l/spring', '/l/spring?utm_source=newsletter']) {
    const { status, headers } = await follow(path)
    expect([status, headers.get('location'), headers.get('cache-control'), headers.get('clicktally-outcome')]).toEqual([
      ...[302, 'https://shop.example/spring', 'no-store', 'accepted'],
    ])
  }
  for (const path of ['/l/summer', '/l/Spring', '/l/spring/', '/l/..%2fv1', '/l/']) {
    expect([path, (await follow(path)).status]).toEqual([path, 404])
  }
  expect((await follow('/l/spring', 'POST')).status).toBe(405)
  await vi.waitFor(async () => expect(await countedTargets()).toMatchObject({ 'link: spring': 2 }), patience)
})
