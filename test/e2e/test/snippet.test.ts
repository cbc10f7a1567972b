import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { localDir } from '@clicktally/local/files/local-folder.ts'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { type System, startSystem } from '@clicktally/local/system.ts'
import { launchChromium } from '@clicktally/testing/chromium.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { cachedPages } from '@clicktally/web/build/pages.ts'
import { Client } from 'pg'
import type { Browser, BrowserContext, Page, Route } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { startWebSite, type WebSite } from '../web-site.ts'

/** Bytes. */
const mostBytes = 1_536

let dir: string
let system: System
let browser: Browser
let database: Client

beforeAll(async () => {
  dir = await makeScratchFolder('snippet')
  system = await startSystem({ dir, port: 0, ingests: 1, processors: 1, onLine: () => {} })
  browser = await launchChromium()
  database = new Client({ connectionString: system.postgresUrl })
  await database.connect()
})

afterAll(async () => {
  await database?.end()
  await browser?.close()
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

const asOwner = () => ({ authorization: `Bearer ${system.ownerKey}`, 'content-type': 'application/json' })

/** A write key for the pages of an origin, once ingest accepts it. */
async function createKey(origin: string): Promise<string> {
  const response = await fetch(new URL('/v1/keys', system.baseUrl), {
    ...{ method: 'POST', headers: asOwner() },
    body: JSON.stringify({ role: 'write', origins: [origin] }),
  })
  const { text } = (await response.json()) as { text: string }
  await vi.waitFor(async () => {
    const { status } = await fetch(new URL(`/v1/c?key=${text}`, system.baseUrl), {
      ...{ method: 'POST', headers: { origin }, body: '{}' },
    })
    expect(status).toBe(422)
  }, patience)
  return text
}

interface Setup {
  readonly site: WebSite
  readonly key: string
  readonly context: BrowserContext
  /** The ids in the requests to /v1/c, by request. */
  readonly sent: string[][]
  open(path?: string): Promise<Page>
}

interface SiteOptions {
  /** The body of the page. */
  readonly body?: string
  /** More attributes of the script's tag. */
  readonly attributes?: string
  readonly headers?: Record<string, string>
  /** Instead of the script's tag. */
  readonly tag?: (key: string) => string
}

/** A site with the snippet on each page, and a browser profile without history. */
async function startSite({ body = '', attributes = '', headers, tag }: SiteOptions = {}): Promise<Setup> {
  let key = ''
  const plainTag = () => `<script defer src="${system.baseUrl}/tally.js" data-key="${key}" ${attributes}></script>`
  const site = await startWebSite(
    () => `<!doctype html><html lang="en"><title>site</title>${tag?.(key) ?? plainTag()}<body>${body}</body></html>`,
    headers,
  )
  key = await createKey(site.origin)
  const context = await browser.newContext()
  context.setDefaultTimeout(patience.timeout)
  onTestFinished(() => context.close())
  const sent: string[][] = []
  context.on('request', (request) => {
    if (!request.url().includes('/v1/c?')) return
    const { events } = JSON.parse(request.postData() ?? '{"events":[]}') as { events: { id: string }[] }
    sent.push(events.map(({ id }) => id))
  })
  return {
    ...{ site, key, context, sent },
    open: async (path = '/') => {
      const page = await context.newPage()
      await page.goto(site.origin + path)
      await page.waitForFunction(() => 'clicktally' in globalThis)
      return page
    },
  }
}

interface StoredClick {
  readonly id: string
  readonly target: string
  readonly url: string | null
  readonly props: object | null
  readonly occurred_at: Date
}

/** The clicks that are stored for the pages of a site, in the order of their ids. */
async function storedClicks({ origin }: WebSite): Promise<StoredClick[]> {
  const { rows } = await database.query<StoredClick>(
    'select id, target, url, props, occurred_at from clicks where url like $1 order by id',
    [`${origin}/%`],
  )
  return rows
}

/** Waits until exactly these targets are stored and counted, and no click waits for the site in the browser or the system. */
async function expectCounted({ site }: Pick<Setup, 'site'>, targets: readonly string[]): Promise<StoredClick[]> {
  await vi.waitFor(async () => {
    expect((await storedClicks(site)).map(({ target }) => target).sort()).toEqual([...targets].sort())
  }, patience)
  return await storedClicks(site)
}

/** Nothing waits in localStorage, so nothing will be sent again. */
async function expectNothingWaits(page: Page, key: string): Promise<void> {
  await page.waitForFunction((prefix) => !Object.keys(localStorage).some((item) => item.startsWith(prefix)), key)
}

const waitingIn = (page: Page, key: string) =>
  page.evaluate((prefix) => Object.keys(localStorage).filter((item) => item.startsWith(prefix)).length, key)

describe('the files', () => {
  test('are small', async () => {
    const files = await cachedPages(join(localDir, 'pages'), () => {})
    for (const name of ['tally.js', 'tally.mjs']) {
      const content = files.find(({ path }) => path === name)?.content ?? Buffer.alloc(mostBytes * 9)
      expect(gzipSync(content, { level: 9 }).length, name).toBeLessThanOrEqual(mostBytes)
      expect(brotliCompressSync(content).length, name).toBeLessThanOrEqual(mostBytes)
    }
  })

  test('are served compressed, to every origin, for an hour, or a year with a version', async () => {
    for (const name of ['tally.js', 'tally.mjs']) {
      const { status, headers } = await fetch(new URL(`/${name}`, system.baseUrl))
      expect([name, status]).toEqual([name, 200])
      expect(Object.fromEntries(headers)).toMatchObject({
        ...{ 'content-type': 'text/javascript; charset=utf-8', 'content-encoding': 'gzip' },
        ...{ 'access-control-allow-origin': '*', 'cross-origin-resource-policy': 'cross-origin' },
        'cache-control': 'public, max-age=3600',
      })
      const versioned = await fetch(new URL(`/${name}?v=1`, system.baseUrl))
      expect(versioned.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    }
  })
})

describe('a click', () => {
  const body = `
    <button data-clicktally="by-attribute" data-clicktally-plan="pro" data-clicktally-Size="2">a</button>
    <button data-clicktally id="by-id">b</button>
    <button data-clicktally aria-label="by label"><svg><circle r="5"></circle></svg></button>
    <button data-clicktally>by
      its   text</button>
    <div data-clicktally="card"><b>inner</b> <button id="excluded" data-clicktally="off">no</button></div>
    <button id="plain">not counted</button>
    <script>
      document.addEventListener('click', (event) => event.stopImmediatePropagation(), true)
    </script>`

  test('counts with the name and the props of its element, whatever the page does with the event', async () => {
    const setup = await startSite({ body })
    const page = await setup.open('/shop?utm_source=mail')
    for (const selector of ['[data-clicktally-plan]', '#by-id', 'svg', 'text=its text', 'b', '#excluded', '#plain']) {
      await page.click(selector)
    }
    const clicks = await expectCounted(setup, ['by-attribute', 'by-id', 'by label', 'by its text', 'card'])
    expect(clicks[0]).toMatchObject({ target: 'by-attribute', props: { plan: 'pro', size: '2' } })
    for (const { url } of clicks) expect(url).toBe(`${setup.site.origin}/shop?utm_source=mail`)
    expect(clicks.at(-1)?.props).toBeNull()
  })

  test('counts on elements that are added later, and in shadow roots', async () => {
    const setup = await startSite({ body: '<div id="host"></div>' })
    const page = await setup.open()
    await page.evaluate(`
      document.body.insertAdjacentHTML('beforeend', '<button id="late" data-clicktally="late">late</button>')
      const root = document.querySelector('#host').attachShadow({ mode: 'open' })
      root.innerHTML = '<button id="shadow" data-clicktally="shadow"><i>in a shadow root</i></button>'`)
    await page.click('#late')
    await page.click('#shadow i')
    await expectCounted(setup, ['late', 'shadow'])
  })

  test('with the middle button counts on a link, and with the right one nowhere', async () => {
    const body = '<a id="link" data-clicktally="link" href="/next">next</a> <button data-clicktally="button">b</button>'
    const setup = await startSite({ body })
    const page = await setup.open()
    await page.click('#link', { button: 'middle' })
    for (const selector of ['#link', 'button']) await page.click(selector, { button: 'right' })
    await page.click('button', { button: 'middle' })
    await page.click('button')
    await expectCounted(setup, ['link', 'button'])
  })

  test('on links to other hosts and to files counts if the tag asks for it', async () => {
    const body = `
      <a id="outbound" href="http://other.example/docs?session=secret#x">o</a> <a id="inbound" href="/next">i</a>
      <a id="download" href="/files/price%20list.PDF?x=y">d</a> <a id="saved" download href="/report">s</a>
      <a id="mail" href="mailto:me@example.org">m</a> <a id="named" data-clicktally="named" href="http://other.example/">n</a>
      <p data-clicktally="off"><a id="off" href="http://other.example/off">o</a></p>
      <script>document.onclick = (event) => event.preventDefault()</script>`
    const asked = await startSite({ body, attributes: 'data-outbound="on" data-downloads="on"' })
    const notAsked = await startSite({ body })
    for (const setup of [asked, notAsked]) {
      const page = await setup.open()
      for (const id of ['outbound', 'inbound', 'download', 'saved', 'mail', 'named', 'off']) await page.click(`#${id}`)
    }
    await expectCounted(asked, [
      ...['outbound: other.example/docs', 'download: /files/price%20list.PDF', 'download: /report', 'named'],
    ])
    await expectCounted(notAsked, ['named'])
  })

  test('on a link that leaves the page counts once, and the browser follows it as usual', async () => {
    const body = '<a id="link" data-clicktally="leave" href="/next">next</a>'
    const setup = await startSite({ body })
    const page = await setup.open()
    for (let visit = 1; visit <= 10; visit += 1) {
      await page.click('#link')
      const next = () => setup.site.visited.filter((path) => path === '/next')
      await vi.waitFor(() => expect(next()).toHaveLength(visit), patience)
      await page.waitForLoadState()
      await page.waitForFunction(() => 'clicktally' in globalThis)
    }
    await expectCounted(
      setup,
      Array.from({ length: 10 }, () => 'leave'),
    )
    await expectNothingWaits(page, setup.key)
  })

  test('counts once if the page has the tag twice, and clicktally() counts from scripts', async () => {
    const tag = (key: string) => `<script src="${system.baseUrl}/tally.js" data-key="${key}"></script>`.repeat(2)
    const setup = await startSite({ tag, body: '<button data-clicktally="once">b</button>' })
    const page = await setup.open()
    await page.click('button')
    await page.evaluate(() => {
      const { clicktally } = globalThis as unknown as { clicktally: (target: string, props?: object) => void }
      for (let at = 0; at < 120; at += 1) clicktally('by-script', { at, first: at === 0, none: null })
    })
    const clicks = await expectCounted(setup, ['once', ...Array.from({ length: 120 }, () => 'by-script')])
    expect(clicks.filter(({ props }) => (props as { first?: boolean } | null)?.first)).toHaveLength(1)
    // Clicks of one task leave together, at most 50 in a request.
    expect(setup.sent.map(({ length }) => length)).toEqual([1, 50, 50, 20])
  })

  test('with a long target keeps its first 256 characters, and no half of one', async () => {
    const setup = await startSite()
    const page = await setup.open()
    await page.evaluate(() => {
      const { clicktally } = globalThis as unknown as { clicktally: (target: string) => void }
      clicktally(`a${'😀'.repeat(200)}`)
    })
    await expectCounted(setup, [`a${'😀'.repeat(127)}`])
  })

  test('that is too large is dropped, and does not hold up others', async () => {
    const setup = await startSite()
    const page = await setup.open()
    await page.evaluate(() => {
      const { clicktally } = globalThis as unknown as { clicktally: (target: string, props?: object) => void }
      clicktally('large', { large: 'x'.repeat(140_000) })
      clicktally('small')
    })
    // nginx refuses it: no service answers.
    await expectNothingWaits(page, setup.key)
    await expectCounted(setup, ['small'])
  })

  test('counts with the ES module', async () => {
    const tag = (key: string) => `<script type="module">
      import { start } from '${system.baseUrl}/tally.mjs'
      window.clicktally = start({ key: '${key}', to: '${system.baseUrl}' })
    </script>`
    const setup = await startSite({ tag, body: '<button data-clicktally="module">b</button>' })
    await (await setup.open()).click('button')
    await expectCounted(setup, ['module'])
  })

  test('counts under a strict Content-Security-Policy and with the integrity of the script', async () => {
    const script = Buffer.from(await (await fetch(new URL('/tally.js', system.baseUrl))).arrayBuffer())
    const integrity = `sha384-${createHash('sha384').update(script).digest('base64')}`
    const policy = `default-src 'none'; script-src ${system.baseUrl}; connect-src ${system.baseUrl}; require-trusted-types-for 'script'`
    const setup = await startSite({
      attributes: `integrity="${integrity}" crossorigin`,
      headers: { 'content-security-policy': policy },
      body: '<button data-clicktally="strict">b</button>',
    })
    await (await setup.open()).click('button')
    await expectCounted(setup, ['strict'])
  })
})

describe('a visitor who asks not to be tracked', () => {
  test.each(['globalPrivacyControl', 'doNotTrack'])('is not counted, unless the tag says so: %s', async (signal) => {
    const body = '<button data-clicktally="asked">b</button>'
    const [respecting, ignoring] = [
      await startSite({ body }),
      await startSite({ body, attributes: 'data-respect="off"' }),
    ]
    for (const setup of [respecting, ignoring]) {
      await setup.context.addInitScript((name) => {
        Object.defineProperty(Navigator.prototype, name, { get: () => (name === 'doNotTrack' ? '1' : true) })
      }, signal)
      const page = await setup.open()
      await page.click('button')
      await page.evaluate(() =>
        (globalThis as unknown as { clicktally: (target: string) => void }).clicktally('called'),
      )
    }
    await expectCounted(ignoring, ['asked', 'called'])
    expect([respecting.sent, await storedClicks(respecting.site)]).toEqual([[], []])
  })
})

describe('a click without a connection', () => {
  const body = '<button data-clicktally="offline">b</button>'

  test('counts once when the network is back', async () => {
    const setup = await startSite({ body })
    const page = await setup.open()
    await setup.context.setOffline(true)
    for (let click = 0; click < 3; click += 1) await page.click('button')
    expect(await waitingIn(page, setup.key)).toBe(3)
    await setup.context.setOffline(false)
    await expectCounted(setup, ['offline', 'offline', 'offline'])
    await expectNothingWaits(page, setup.key)
  })

  test('counts once after the tab was closed, when the site is visited again', async () => {
    const setup = await startSite({ body })
    const page = await setup.open()
    await setup.context.setOffline(true)
    await page.click('button')
    await page.close()
    await setup.context.setOffline(false)
    expect(await storedClicks(setup.site)).toEqual([])
    const later = await setup.open('/later')
    await expectCounted(setup, ['offline'])
    await expectNothingWaits(later, setup.key)
  })

  test('is sent by one of several tabs', async () => {
    const setup = await startSite({ body })
    const tabs = [await setup.open(), await setup.open(), await setup.open()]
    await setup.context.setOffline(true)
    for (const tab of tabs) {
      await tab.bringToFront()
      await tab.click('button')
    }
    // The attempts of each tab offline are not of interest.
    await vi.waitFor(async () => expect(await waitingIn(tabs[0] as Page, setup.key)).toBe(3), patience)
    setup.sent.length = 0
    await setup.context.setOffline(false)
    await expectCounted(setup, ['offline', 'offline', 'offline'])
    for (const tab of tabs) await expectNothingWaits(tab, setup.key)
    expect(setup.sent.flat()).toHaveLength(3)
  })

  test('is sent with few others if their addresses are long: a large request would be refused', async () => {
    const setup = await startSite({ body })
    const page = await setup.open(`/long?${'x'.repeat(1_900)}`)
    await setup.context.setOffline(true)
    await page.evaluate(async () => {
      const { clicktally } = globalThis as unknown as { clicktally: (target: string) => void }
      for (let at = 0; at < 90; at += 1) clicktally('long')
    })
    await vi.waitFor(async () => expect(await waitingIn(page, setup.key)).toBe(90), patience)
    setup.sent.length = 0
    await setup.context.setOffline(false)
    await expectCounted(
      setup,
      Array.from({ length: 90 }, () => 'long'),
    )
    await expectNothingWaits(page, setup.key)
    for (const ids of setup.sent) expect(ids.length).toBeLessThan(10)
  })

  test('waits in a queue of at most 200, from which the oldest are dropped', async () => {
    const setup = await startSite({ body })
    const page = await setup.open()
    await setup.context.setOffline(true)
    await page.evaluate(async () => {
      const { clicktally } = globalThis as unknown as { clicktally: (target: string) => void }
      for (let at = 1; at <= 230; at += 1) {
        clicktally(`click-${at}`)
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
    })
    expect(await waitingIn(page, setup.key)).toBe(200)
    await setup.context.setOffline(false)
    await expectCounted(
      setup,
      Array.from({ length: 200 }, (_, at) => `click-${at + 31}`),
    )
  })

  test('counts if localStorage is blocked, and the page is not left meanwhile', async () => {
    const setup = await startSite({ body })
    await setup.context.addInitScript(() => {
      Object.defineProperty(globalThis, 'localStorage', {
        get() {
          throw new DOMException('blocked', 'SecurityError')
        },
      })
    })
    const page = await setup.open()
    await page.click('button')
    await expectCounted(setup, ['offline'])
    await setup.context.setOffline(true)
    await page.click('button')
    await setup.context.setOffline(false)
    await expectCounted(setup, ['offline', 'offline'])
  })

  test('counts if localStorage is full', async () => {
    const setup = await startSite({ body })
    const page = await setup.open()
    await page.evaluate(() => {
      for (let chars = 2 ** 22; chars >= 1; chars /= 2) {
        for (let at = 0; ; at += 1) {
          try {
            localStorage[`fill-${chars}-${at}`] = 'x'.repeat(chars)
          } catch {
            break
          }
        }
      }
    })
    await page.click('button')
    await expectCounted(setup, ['offline'])
  })
})

describe('a request that fails', () => {
  const body = '<button data-clicktally="failed">b</button> <a id="link" data-clicktally="link" href="/next">next</a>'
  const clicks = /\/v1\/c\?/
  const answer = (route: Route, origin: string, status: number, headers: Record<string, string> = {}) =>
    route.fulfill({
      status,
      headers: {
        ...{ 'access-control-allow-origin': origin, 'access-control-expose-headers': 'retry-after' },
        ...headers,
      },
      body: '{"code":"refused"}',
    })

  test('because an ad blocker blocks it disturbs no page; the click counts when it is let through', async () => {
    const setup = await startSite({ body })
    await setup.context.route(clicks, (route) => route.abort('blockedbyclient'))
    const page = await setup.open()
    const errors: string[] = []
    page.on('pageerror', (error) => errors.push(error.message))
    await page.click('button')
    await page.click('#link')
    await page.waitForURL('**/next')
    expect(errors).toEqual([])
    expect(await storedClicks(setup.site)).toEqual([])
    await setup.context.unroute(clicks)
    await page.click('button')
    await expectCounted(setup, ['failed', 'failed', 'link'])
    await expectNothingWaits(page, setup.key)
  })

  test('with 503 or 429 is repeated after Retry-After, and new clicks wait too', async () => {
    const setup = await startSite({ body })
    const attemptsMs: number[] = []
    await setup.context.route(clicks, (route) => {
      attemptsMs.push(Date.now())
      if (attemptsMs.length > 2) return route.continue()
      return answer(route, setup.site.origin, attemptsMs.length === 1 ? 503 : 429, { 'retry-after': '2' })
    })
    const page = await setup.open()
    await page.click('button')
    await vi.waitFor(() => expect(attemptsMs).toHaveLength(1), patience)
    await page.click('button')
    await expectCounted(setup, ['failed', 'failed'])
    await expectNothingWaits(page, setup.key)
    const [first = 0, second = 0, third = 0] = attemptsMs
    expect(second - first).toBeGreaterThan(1_900)
    expect(third - second).toBeGreaterThan(1_900)
  })

  test('because the response was lost is repeated with the same ids, and the click counts once', async () => {
    const setup = await startSite({ body })
    let lost = 0
    await setup.context.route(clicks, async (route) => {
      if (lost >= 2) return route.continue()
      const response = await route.fetch()
      expect(response.status()).toBe(202)
      lost += 1
      return route.abort('connectionreset')
    })
    const page = await setup.open()
    await page.click('button')
    await expectNothingWaits(page, setup.key)
    expect(lost).toBe(2)
    expect(new Set(setup.sent.flat()).size).toBe(1)
    await expectCounted(setup, ['failed'])
  })

  test.each([400, 401, 403, 413, 422])('with %i is not repeated', async (status) => {
    const setup = await startSite({ body })
    await setup.context.route(clicks, (route) => answer(route, setup.site.origin, status))
    const page = await setup.open()
    await page.click('button')
    await expectNothingWaits(page, setup.key)
    expect(setup.sent).toHaveLength(1)
    expect(await storedClicks(setup.site)).toEqual([])
  })

  test('while the page is being left is finished by the browser or repeated by the next page', async () => {
    const setup = await startSite({ body })
    await setup.context.route(clicks, async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 500))
      await route.continue().catch(() => {})
    })
    const page = await setup.open()
    await page.click('#link')
    await page.waitForURL('**/next')
    await page.click('#link')
    await expectCounted(setup, ['link', 'link'])
    await expectNothingWaits(page, setup.key)
  })
})

describe('a wrong clock', () => {
  test.each([
    ['five days ahead', 5],
    ['five days behind', -5],
  ])('does not lose a click, and its time is right: %s', async (_which, days) => {
    const setup = await startSite({ body: '<button data-clicktally="clock">b</button>' })
    await setup.context.addInitScript((shiftMs) => {
      const { now } = Date
      Date.now = () => now.call(Date) + shiftMs
    }, days * 86_400_000)
    const page = await setup.open()
    await page.click('button')
    await page.click('button')
    const clicks = await expectCounted(setup, ['clock', 'clock'])
    await page.click('button')
    await expectCounted(setup, ['clock', 'clock', 'clock'])
    await expectNothingWaits(page, setup.key)
    for (const { occurred_at } of clicks) expect(Math.abs(occurred_at.getTime() - Date.now())).toBeLessThan(60_000)
  })

  test('does not count a click twice that was accepted, if the answer was lost and the click is too old meanwhile', async () => {
    const setup = await startSite({ body: '<button data-clicktally="clock">b</button>' })
    // The id of a click is accepted for some seconds.
    const shiftMs = 15_000 - 72 * 3_600_000
    await setup.context.addInitScript((shift) => {
      const { now } = Date
      Date.now = () => now.call(Date) + shift
    }, shiftMs)
    const page = await setup.open()
    const clickedAtMs = Date.now()
    const { promise: isAccepted, resolve } = Promise.withResolvers<number>()
    await setup.context.route(/\/v1\/c\?/, async (route) => {
      resolve((await route.fetch()).status())
      await route.abort('connectionreset')
    })
    await page.click('button')
    expect(await isAccepted).toBe(202)
    await page.close()
    await setup.context.unroute(/\/v1\/c\?/)
    await new Promise((wait) => setTimeout(wait, clickedAtMs + 20_000 - Date.now()))
    const later = await setup.open()
    await expectNothingWaits(later, setup.key)
    expect(setup.sent.length).toBeGreaterThan(1)
    expect(new Set(setup.sent.flat()).size).toBe(1)
    await expectCounted(setup, ['clock'])
  })
})
