import { rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { type System, startSystem } from '@clicktally/local/system.ts'
import { openPage } from '@clicktally/testing/browser.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'

let dir: string
let system: System

beforeAll(async () => {
  dir = await makeScratchFolder('browser')
  system = await startSystem({ dir, port: 0, ingests: 1, processors: 1, onLine: () => {} })
})

afterAll(async () => {
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

/** A web site with one empty page, on a separate origin. */
async function startSite(): Promise<string> {
  const server = createServer((_, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>site</title>'),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function createKey(role: string, origins: string[]): Promise<string> {
  const response = await fetch(new URL('/v1/keys', system.baseUrl), {
    method: 'POST',
    headers: { authorization: `Bearer ${system.ownerKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ role, origins }),
  })
  return ((await response.json()) as { text: string }).text
}

interface PageRequest {
  readonly path: string
  readonly method?: string
  readonly key?: string
  readonly body?: object
}

/** The outcome of a request, as a page of this origin sees it. */
async function fromPage(origin: string, request: PageRequest) {
  const page = await openPage()
  await page.goto(origin)
  return await page.evaluate(
    async ({ baseUrl, path, method = 'GET', key, body }) => {
      try {
        const response = await fetch(`${baseUrl}${path}`, {
          method,
          credentials: key === undefined ? 'include' : 'omit',
          headers: {
            ...(key !== undefined && { authorization: `Bearer ${key}` }),
            ...(body !== undefined && { 'content-type': 'application/json' }),
          },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        })
        return { status: response.status, answer: (await response.json()) as Record<string, unknown> }
      } catch (error) {
        return { error: (error as Error).name }
      }
    },
    { baseUrl: system.baseUrl, ...request },
  )
}

describe('a page in a browser', () => {
  test('can send clicks and read errors if the key lists its origin; other origins are blocked', async () => {
    const [own, foreign] = [await startSite(), await startSite()]
    const key = await createKey('write', [own])
    const click = { path: '/v1/events', method: 'POST', key, body: { target: 'from-a-page' } }
    await vi.waitFor(async () => expect(await fromPage(own, click)).toMatchObject({ status: 202 }), patience)
    expect(await fromPage(own, { ...click, body: { target: '' } })).toMatchObject({
      status: 422,
      answer: { field: 'target' },
    })
    expect(await fromPage(foreign, click)).toEqual({ error: 'TypeError' })
  })

  test('can read counts only with a key that lists its origin', async () => {
    const [own, foreign] = [await startSite(), await startSite()]
    const key = await createKey('read', [own])
    await vi.waitFor(
      async () => expect(await fromPage(own, { path: '/v1/counts', key })).toMatchObject({ status: 200 }),
      patience,
    )
    expect(await fromPage(foreign, { path: '/v1/counts', key })).toEqual({ error: 'TypeError' })
  })

  test('of another site cannot change or read anything with the session of a signed-in owner', async () => {
    const foreign = await startSite()
    const request = { path: '/v1/projects', method: 'POST', body: { name: 'evil' } }
    expect(await fromPage(foreign, request)).toEqual({ error: 'TypeError' })
    expect(await fromPage(foreign, { path: '/v1/keys' })).toEqual({ error: 'TypeError' })
    // A form needs no preflight, but cannot send JSON.
    const page = await openPage()
    await page.goto(foreign)
    await page.setContent(`<form method="post" enctype="text/plain" action="${system.baseUrl}/v1/projects">
      <input name='{"name":"evil","x":"' value='"}'><button>send</button></form>`)
    const [response] = await Promise.all([page.waitForResponse(/v1\/projects/), page.click('button')])
    expect(response.status()).toBeGreaterThanOrEqual(400)
    const listed = await fetch(new URL('/v1/projects', system.baseUrl), {
      headers: { authorization: `Bearer ${system.ownerKey}` },
    })
    expect(JSON.stringify(await listed.json())).not.toContain('evil')
  })

  test('cannot be framed by another site', async () => {
    const page = await openPage()
    await page.goto(await startSite())
    const failed: string[] = []
    page.on('console', (message) => failed.push(message.text()))
    await page.setContent(`<iframe src="${system.baseUrl}/docs/"></iframe>`)
    await vi.waitFor(() => expect(failed.join('\n')).toMatch(/frame-ancestors|X-Frame-Options/), patience)
  })
})
