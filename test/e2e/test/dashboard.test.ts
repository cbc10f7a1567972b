import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { firstOwnerEmail, readFirstKeys } from '@clicktally/keys/first-keys.ts'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { type System, startSystem } from '@clicktally/local/system.ts'
import { launchChromium } from '@clicktally/testing/chromium.ts'
import { patience } from '@clicktally/testing/patience.ts'
import axe from 'axe-core'
import { Client } from 'pg'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'

/** gzip, in bytes: everything that the first view of a signed-in user loads. */
const mostBytes = 60 * 1024

let dir: string
let system: System
let browser: Browser
let database: Client
/** The cookie of the first owner's session. */
let ownersState: Exclude<BrowserContextOptions['storageState'], undefined>

beforeAll(async () => {
  dir = await makeScratchFolder('dashboard')
  system = await startSystem({ dir, port: 0, ingests: 1, processors: 1, onLine: () => {} })
  // Without any click the dashboard shows how to send one.
  await post('/v1/events', { target: 'earlier' })
  database = new Client({ connectionString: system.postgresUrl })
  await database.connect()
  browser = await launchChromium()
  const context = await browser.newContext({ baseURL: system.baseUrl })
  context.setDefaultTimeout(patience.timeout)
  const page = await context.newPage()
  await page.goto('/')
  await signIn(page, firstOwnerEmail, readFirstKeys(join(system.secretsDir, 'operator')).password)
  await page.getByRole('heading', { name: 'Clicks today' }).waitFor(patience)
  ownersState = await context.storageState()
  await context.close()
})

afterAll(async () => {
  await browser?.close()
  await database?.end()
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

const asOwner = () => ({ authorization: `Bearer ${system.ownerKey}`, 'content-type': 'application/json' })

async function post<Answer>(path: string, body: object): Promise<Answer> {
  const url = new URL(path, system.baseUrl)
  const response = await fetch(url, { method: 'POST', headers: asOwner(), body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${path} was answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as Answer
}

interface OpenPage {
  readonly page: Page
  /** What the browser complained of: blocked content, failed requests, exceptions. */
  readonly complaints: readonly string[]
}

async function openPage(path = '/', options: BrowserContextOptions = {}): Promise<OpenPage> {
  const context = await browser.newContext({ baseURL: system.baseUrl, ...options })
  onTestFinished(() => context.close())
  context.setDefaultTimeout(patience.timeout)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  // Before the user has signed in, the session and the balance are refused.
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('401')) complaints.push(message.text())
  })
  await page.goto(path)
  return { page, complaints }
}

async function signIn(page: Page, email: string, password: string): Promise<void> {
  await page.getByLabel('Email address').fill(email)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

/** The page of the first owner, signed in. */
async function openDashboard(path = '/', heading = 'Clicks today'): Promise<OpenPage> {
  const open = await openPage(path, { storageState: ownersState })
  await open.page.getByRole('heading', { name: heading }).waitFor(patience)
  return open
}

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const chrome =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'

/** Creates a project, and sends clicks to it with a key of its own. */
async function createProject(name: string, dimensions: readonly string[] = []) {
  await post('/v1/projects', { name, dimensions })
  const { text } = await post<{ text: string }>('/v1/keys', { project: name, role: 'secret', label: '' })
  const url = new URL('/v1/events/batch', system.baseUrl)
  return {
    async send(...clicks: readonly object[]): Promise<void> {
      const body = JSON.stringify({ events: clicks.map((click) => ({ target: 'breakdown', ...click })) })
      // A new key is known within moments.
      await vi.waitFor(async () => {
        const headers = { authorization: `Bearer ${text}`, 'content-type': 'application/json' }
        expect((await fetch(url, { method: 'POST', headers, body })).status).toBe(202)
      }, patience)
    },
  }
}

const cardOf = (page: Page, name: string) => page.getByRole('region', { name, exact: true })

/** Cards are drawn when they come into view. The element may be replaced meanwhile. */
async function scrollTo(card: Locator): Promise<void> {
  await vi.waitFor(() => card.scrollIntoViewIfNeeded(patience), patience)
}

/** The rows of the card of top targets. */
const topTargets = (page: Page) => page.getByRole('region', { name: 'Top targets' }).getByRole('rowheader')

const numberIn = (text: string | null) => Number(text?.replaceAll(',', ''))
const clicksToday = async (page: Page) => numberIn(await page.locator('.number.hero .value').textContent())

/** What axe finds that is serious or critical, with the elements. */
async function seriousViolations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const { violations } = (await page.evaluate('axe.run()')) as axe.AxeResults
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' ')}`)
}

describe('the dashboard', () => {
  test('shows a click and the proof within moments, without a reload', async () => {
    const { page, complaints } = await openDashboard()
    await expect.poll(() => page.locator('.proof .verdict').textContent()).toBe('Every click is accounted for')
    const before = await clicksToday(page)
    await post('/v1/events', { target: 'seen-live', visitorId: 'me' })
    await expect.poll(() => clicksToday(page)).toBe(before + 1)
    await topTargets(page).getByText('seen-live', { exact: true }).waitFor()
    const terms = await page.locator('.equation dd').allTextContents()
    const [accepted, ...rest] = terms.map(numberIn)
    expect(accepted).toBeGreaterThan(0)
    expect(rest.reduce((sum, each) => sum + each, 0)).toBe(accepted)
    expect(complaints).toEqual([])
  })

  test('shows each click as it is counted', async () => {
    const { page, complaints } = await openDashboard()
    await page.getByText('as they are counted').waitFor(patience)
    await post('/v1/events', { target: 'one after' })
    await post('/v1/events', { target: 'the other' })
    await expect.poll(() => page.locator('.live .cut').allTextContents(), patience).toEqual(['the other', 'one after'])
    expect(complaints).toEqual([])
  })

  test('shows what was sent as text, whatever it contains', async () => {
    const target = `<img src=x onerror="document.title='run'"><script>document.title='run'</script>`
    await post('/v1/events', { target })
    const { page, complaints } = await openDashboard()
    await page.getByRole('link', { name: target, exact: true }).click()
    await page.locator('.chip').getByText(target, { exact: true }).waitFor()
    expect(await page.title()).toBe('Clicktally')
    expect(complaints).toEqual([])
  })

  test('turns red as soon as the proof does not add up', async () => {
    const { page } = await openDashboard()
    await page.route('**/v1/balance', async (route) => {
      const response = await route.fetch()
      const balance = await response.json()
      await route.fulfill({ response, json: { ...balance, accepted: balance.accepted + 3 } })
    })
    await expect.poll(() => page.locator('.proof').getAttribute('data-state')).toBe('wrong')
    expect(await page.locator('.proof .verdict').textContent()).toContain('3 clicks are missing')
  })

  test('compares with the range before of the chosen project only, however long that answer takes', async () => {
    await (await createProject('compared')).send({}, {})
    await (await createProject('compared-next')).send({})
    const { page } = await openDashboard('/?project=compared')
    const isOver = (url: URL) => url.pathname.startsWith('/v1/counts') && url.searchParams.has('to')
    await page.route(isOver, async (route) => {
      // The question about the other project is not answered.
      if (new URL(route.request().url()).searchParams.get('project') !== 'compared') return
      const response = await route.fetch()
      const targets = [{ target: 'breakdown', total: 120_000, bots: 0 }]
      await route.fulfill({ response, json: { ...(await response.json()), total: 120_000, targets } })
    })
    await page.reload()
    const notes = () => page.locator('.number .note').allTextContents()
    const trend = cardOf(page, 'Top targets').getByRole('columnheader', { name: 'Trend' })
    await expect.poll(notes, patience).toContainEqual(expect.stringContaining('vs 120,000 yesterday'))
    await trend.waitFor(patience)
    await page.getByRole('combobox', { name: 'Project' }).selectOption('compared-next')
    await expect.poll(() => clicksToday(page), patience).toBe(1)
    expect(await notes()).toEqual(['', '', '', '', ''])
    expect(await trend.count()).toBe(0)
  })

  test('does not compare what is still shown of another project', async () => {
    await (await createProject('slow-next')).send({}, {})
    await (await createProject('slow')).send({})
    const { page } = await openDashboard('/?project=slow-next')
    await expect.poll(() => clicksToday(page), patience).toBe(2)
    let compared = 0
    await page.route('**/v1/counts?project=slow&*', async (route) => {
      // Of the next project, only what is compared with is answered.
      if (!new URL(route.request().url()).searchParams.has('to')) return
      const response = await route.fetch()
      await route.fulfill({ response, json: { ...(await response.json()), total: 120_000 } })
    })
    page.on('requestfinished', (request) => {
      if (request.url().includes('/v1/counts?project=slow&')) compared++
    })
    await page.getByRole('combobox', { name: 'Project' }).selectOption('slow')
    // With yesterday, and with the range before.
    await expect.poll(() => compared, patience).toBe(2)
    await page.locator('.number.hero[data-outdated]').waitFor(patience)
    expect(await page.locator('.number .note').allTextContents()).toEqual(['', '', '', '', ''])
  })

  test('keeps the view in its address: range and target filter', async () => {
    await post('/v1/events', { target: 'one, with a comma' })
    const { page } = await openDashboard('/?range=7d')
    expect(await page.getByRole('link', { name: '7 d' }).getAttribute('aria-current')).toBe('true')
    await page.getByRole('link', { name: 'one, with a comma', exact: true }).click()
    await expect.poll(() => topTargets(page).count()).toBe(1)
    await page.reload()
    await page.getByRole('button', { name: 'Remove the filter on Target' }).waitFor(patience)
    expect(new URL(page.url()).searchParams.get('target')).toBe('one\\, with a comma')
    await page.goBack()
    await page.getByRole('button', { name: 'Remove the filter on Target' }).waitFor({ state: 'detached' })
  })

  test('shows the days that were chosen, and zooms into what was dragged over', async () => {
    const { page } = await openDashboard()
    await page.getByRole('button', { name: 'Dates' }).click()
    const [day] = new Date().toISOString().split('T') as [string]
    await page.getByLabel('First day').fill(day)
    await page.getByLabel('Last day').fill(day)
    await page.getByRole('button', { name: 'Show' }).click()
    const range = () => ['from', 'to'].map((name) => Date.parse(new URL(page.url()).searchParams.get(name) ?? ''))
    await expect.poll(() => range()).toEqual([Date.parse(`${day}T00:00`), Date.parse(`${day}T00:00`) + 86_400_000])
    const plot = await page.locator('.u-over').boundingBox()
    if (plot === null) throw new Error('there is no plot')
    await page.mouse.move(plot.x + plot.width * 0.25, plot.y + 50)
    await page.mouse.down()
    await page.mouse.move(plot.x + plot.width * 0.75, plot.y + 50, { steps: 5 })
    await page.mouse.up()
    const hours = () => range().reduce((from, to) => to - from) / 3_600_000
    await expect.poll(hours).toBeLessThan(14)
    expect(hours()).toBeGreaterThan(10)
    await page.getByRole('button', { name: 'Back to the last 24 hours' }).click()
    await expect.poll(() => page.getByRole('link', { name: '24 h' }).getAttribute('aria-current')).toBe('true')
  })

  test('shows where clicks came from, and makes each value a filter that can be inverted, combined and removed', async () => {
    const project = await createProject('sources', ['plan'])
    await project.send(
      { country: 'DE', url: 'https://shop.example/prices?utm_source=news', userAgent: firefox, props: { plan: 'pro' } },
      { country: 'DE', url: 'https://shop.example/', referrer: 'https://www.google.com/', userAgent: firefox },
      { country: 'FR', url: 'https://shop.example/prices', userAgent: chrome, visitorId: 'me' },
      { country: 'FR', bot: true },
      {},
    )
    const { page, complaints } = await openDashboard('/?project=sources')
    const values = (card: string) => cardOf(page, card).locator('tbody tr').allInnerTexts()
    await scrollTo(cardOf(page, 'Countries'))
    await expect
      .poll(() => values('Countries'))
      .toEqual([
        expect.stringMatching(/Germany.*2.*50\.0%/s),
        expect.stringMatching(/\(unknown\).*1.*25\.0%/s),
        expect.stringMatching(/France.*1.*25\.0%/s),
      ])
    expect(await cardOf(page, 'Countries').textContent()).toContain('Bots, not included: 1')
    await scrollTo(cardOf(page, 'Props'))
    await expect
      .poll(() => values('Props'))
      .toEqual([expect.stringContaining('(none)'), expect.stringContaining('pro')])

    await cardOf(page, 'Devices').getByRole('link', { name: 'Firefox', exact: true }).click()
    await expect.poll(() => values('Countries')).toEqual([expect.stringMatching(/Germany.*2.*100\.0%/s)])
    await expect.poll(() => clicksToday(page)).toBe(2)
    await expect.poll(() => values('Top targets')).toEqual([expect.stringMatching(/breakdown.*2/s)])
    await page.getByText('other filters do not apply here').waitFor(patience)

    await page.getByRole('button', { name: 'is', exact: true }).click()
    await expect.poll(() => clicksToday(page)).toBe(2)
    await expect.poll(() => values('Countries')).toHaveLength(2)
    await cardOf(page, 'Countries').getByRole('link', { name: 'Do not count France' }).click()
    await expect.poll(() => clicksToday(page)).toBe(1)
    await page.reload()
    await page.getByRole('button', { name: 'Remove the filter on Country' }).waitFor(patience)
    expect(new URL(page.url()).searchParams.getAll('filter')).toEqual(['browser:not:Firefox', 'country:not:FR'])
    await page.keyboard.press('x')
    await expect.poll(() => clicksToday(page)).toBe(4)
    expect(new URL(page.url()).search).toBe('?project=sources')
    expect(complaints).toEqual([])
  })

  test('filters by a value that is typed, adds another to it, and saves a breakdown as CSV', async () => {
    const project = await createProject('typed')
    await project.send({ country: 'DE' }, { country: 'FR' }, { country: 'JP' }, { country: 'JP', bot: true })
    const { page } = await openDashboard('/?project=typed')
    for (const [text, clicks] of [
      ['Germany', 1],
      ['JP', 2],
    ] as const) {
      await page.getByRole('button', { name: 'Filter', exact: true }).click()
      const form = page.getByRole('form', { name: 'Filter' })
      await form.getByLabel('What').selectOption('Country')
      await form.locator('option[value="Germany"]').waitFor({ state: 'attached', ...patience })
      await form.getByLabel('Value').fill(text)
      await form.getByRole('button', { name: 'Count' }).click()
      await expect.poll(() => clicksToday(page)).toBe(clicks)
    }
    expect(new URL(page.url()).searchParams.getAll('filter')).toEqual(['country:is:DE,JP'])
    const download = page.waitForEvent('download', patience)
    await cardOf(page, 'Countries').getByRole('button', { name: 'CSV' }).click()
    const file = await download
    expect(file.suggestedFilename()).toBe('clicks-by-country.csv')
    expect(readFileSync(await file.path(), 'utf8')).toBe('country,clicks,bots\r\nDE,1,0\r\nJP,1,1\r\n')
  })

  test('says how to send what a breakdown needs, and counts by a prop as soon as an owner declares it', async () => {
    const project = await createProject('bare')
    await project.send({ props: { plan: 'pro' } })
    const { page } = await openDashboard('/?project=bare')
    await cardOf(page, 'Countries').getByText('CLICKTALLY_COUNTRY_HEADER').waitFor(patience)
    await cardOf(page, 'Props').getByRole('link', { name: 'settings of the project' }).click()
    await page.getByLabel('Props of bare').fill('plan, size')
    const saved = page.waitForResponse((response) => response.request().method() === 'PATCH')
    await page.getByRole('row', { name: /^bare/ }).getByRole('button', { name: 'Save' }).first().click()
    expect((await saved).status()).toBe(200)
    const days = page.getByLabel('Days for which raw clicks of bare are kept')
    for (const [text, keepRawDays] of [
      ['400', 400],
      ['', null],
    ] as const) {
      await days.fill(text)
      const changed = page.waitForResponse((response) => response.request().method() === 'PATCH')
      await page.getByRole('row', { name: /^bare/ }).getByRole('button', { name: 'Save' }).last().click()
      expect(await (await changed).json()).toMatchObject({ name: 'bare', keepRawDays })
    }
    await page.getByRole('row', { name: /^bare/ }).getByRole('link', { name: 'bare' }).click()
    await scrollTo(cardOf(page, 'Props'))
    await cardOf(page, 'Props').getByRole('link', { name: 'pro', exact: true }).waitFor(patience)
    await cardOf(page, 'Props').getByRole('link', { name: 'size' }).click()
    await cardOf(page, 'Props').getByText('No click of this range has the prop.').waitFor(patience)
  })

  test('signs in auditors, who set their password with the link of an invitation', async () => {
    const email = 'auditor@example.org'
    const { token } = await post<{ token: string }>('/v1/users', { email, role: 'auditor' })
    const { page, complaints } = await openPage(`/password#${token}`)
    await page.getByLabel('New password').fill('a long enough password')
    await page.getByLabel('The same again').fill('another password')
    await page.getByRole('button', { name: 'Set the password' }).click()
    expect(await page.getByRole('alert').textContent()).toBe('The two passwords differ.')
    await page.getByLabel('The same again').fill('a long enough password')
    await page.getByRole('button', { name: 'Set the password' }).click()
    await page.getByRole('button', { name: 'Sign in' }).click()
    await signIn(page, email, 'a wrong password')
    await expect.poll(() => page.getByRole('alert').textContent()).toContain('is wrong')
    await signIn(page, email, 'a long enough password')
    await page.getByRole('heading', { name: 'Clicks today' }).waitFor(patience)
    await page.getByRole('button', { name: `Menu of ${email}` }).click()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor(patience)
    expect(complaints).toEqual([])
  })

  test('asks to sign in again when the session has ended at the server', async () => {
    const { page } = await openDashboard()
    await page.context().clearCookies()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor(patience)
  })

  test('shows how to send the first click of a project, and comes alive when it arrives', async () => {
    await post('/v1/projects', { name: 'empty' })
    const { page, complaints } = await openDashboard('/?project=empty', 'Send your first click')
    await page.getByRole('button', { name: 'Create a key' }).click()
    await page.getByText('The key is shown only now').waitFor(patience)
    const command = (await page.locator('.copy-box code').textContent()) ?? ''
    expect(command).toContain(`curl -X POST ${system.baseUrl}/v1/events`)
    await page.getByText('Nothing arrives?').click()
    await page.getByText('The secret key “first server” works on servers.').waitFor(patience)
    const [, key] = /Bearer (ct_s_\w+)'/.exec(command) ?? []
    const [, body] = /-d '(.*)'/.exec(command) ?? []
    await vi.waitFor(async () => {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
      const answer = await fetch(new URL('/v1/events', system.baseUrl), { method: 'POST', headers, body: `${body}` })
      expect(answer.status).toBe(202)
    }, patience)
    await page.getByRole('heading', { name: 'Clicks today' }).waitFor(patience)
    await expect.poll(() => clicksToday(page)).toBe(1)
    expect(complaints).toEqual([])
  })

  test('shows how to send the first click when an empty project is chosen', async () => {
    await (await createProject('filled')).send({})
    await post('/v1/projects', { name: 'never-clicked' })
    const { page } = await openDashboard('/?project=filled')
    await expect.poll(() => clicksToday(page), patience).toBe(1)
    const choice = page.getByRole('combobox', { name: 'Project' })
    await choice.selectOption('never-clicked')
    await page.getByRole('heading', { name: 'Send your first click' }).waitFor(patience)
    await choice.selectOption('filled')
    await page.getByRole('heading', { name: 'Clicks today' }).waitFor(patience)
  })

  test('shows the snippet for pages, with a key for their origin', async () => {
    await post('/v1/projects', { name: 'pages' })
    const { page } = await openDashboard('/?project=pages', 'Send your first click')
    await page.getByRole('button', { name: 'From web pages' }).click()
    await page.getByLabel('Origins of your pages').fill('https://shop.example')
    await page.getByRole('button', { name: 'Create a key' }).click()
    await page.getByText('Put this into your pages.').waitFor(patience)
    const snippet = (await page.locator('.copy-box code').textContent()) ?? ''
    const [, src = '', key] = /<script defer src="([^"]+)" data-key="(ct_w_\w+)">/.exec(snippet) ?? []
    expect(key).toBeDefined()
    expect((await fetch(src)).headers.get('content-type')).toContain('text/javascript')
  })

  test('finds a click by its id, and says that an unknown one was not seen', async () => {
    const { id } = await post<{ id: string }>('/v1/events', { target: 'to be found' })
    const { page } = await openDashboard()
    await page.keyboard.press('f')
    await page.getByLabel('The id that the 202 returned').fill(` ${id} `)
    const lookUp = page.getByRole('button', { name: 'Look up' })
    await vi.waitFor(async () => {
      await page.getByLabel('The id that the 202 returned').fill(` ${id} `)
      await lookUp.click()
      await page.getByText('Counted, once').waitFor({ timeout: 1_000 })
    }, patience)
    expect(await page.locator('.receipt').textContent()).toContain('to be found')
    await page.getByLabel('The id that the 202 returned').fill('01a1fbf9-47c2-790c-9f4f-1b848ca0e748')
    await lookUp.click()
    await page.getByText('Not seen', { exact: true }).waitFor(patience)
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  })

  test('shares a view by a link that needs no account, until it is revoked', async () => {
    await post('/v1/events', { target: 'shared' })
    const { page } = await openDashboard('/?range=7d&target=shared')
    await page.keyboard.press('s')
    await page.getByLabel('For whom').fill('a friend')
    await page.getByRole('button', { name: 'Make a link' }).click()
    const link = new URL((await page.locator('.created code').textContent()) ?? '')
    expect(link.hash).toMatch(/^#key=ct_r_\w+$/)
    const friend = await openPage(link.pathname + link.search + link.hash)
    await expect
      .poll(() => topTargets(friend.page).allInnerTexts(), patience)
      .toEqual([expect.stringMatching(/^shared\b/)])
    expect(await friend.page.getByRole('button', { name: 'Share', exact: true }).count()).toBe(0)
    expect(friend.complaints).toEqual([])
    await friend.page.keyboard.press('Tab')
    await friend.page.keyboard.press('Enter')
    await expect.poll(() => friend.page.evaluate('document.activeElement.id')).toBe('content')
    expect(new URL(friend.page.url()).hash).toBe(link.hash)
    await page.getByRole('button', { name: 'Revoke' }).click()
    await page.getByRole('button', { name: 'End the link?' }).click()
    await page.getByText('Shared view: a friend').waitFor({ state: 'detached' })
    await friend.page.getByRole('heading', { name: 'This link has ended' }).waitFor(patience)
  })

  test('makes the same link when the address has a fragment, and keeps it in sight until a click beside the dialog', async () => {
    const { page } = await openDashboard('/#content')
    await page.keyboard.press('s')
    await page.getByLabel('For whom').fill('a colleague')
    await page.getByRole('button', { name: 'Make a link' }).click()
    const code = page.locator('.created code')
    expect(new URL((await code.textContent()) ?? '').hash).toMatch(/^#key=ct_r_\w+$/)
    const [box, text] = [await page.getByRole('dialog').boundingBox(), await code.boundingBox()]
    if (box === null || text === null) throw new Error('there is no link')
    const beside = { x: box.x - 20, y: box.y + 20 }
    // Selects the link, a little too far.
    await page.mouse.move(text.x + 50, text.y + text.height / 2)
    await page.mouse.down()
    await page.mouse.move(beside.x, beside.y, { steps: 5 })
    await page.mouse.up()
    await page.mouse.click(box.x + 5, box.y + 5)
    await page.mouse.move(beside.x, beside.y)
    await page.mouse.down()
    await page.mouse.move(box.x + 5, box.y + 5, { steps: 5 })
    await page.mouse.up()
    expect(await code.isVisible()).toBe(true)
    await page.mouse.click(beside.x, beside.y)
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  })

  test('has settings: an owner creates and revokes a key, which the audit log records', async () => {
    const { page, complaints } = await openDashboard('/settings', 'Settings')
    await page.getByLabel('Role').selectOption('read')
    await page.getByLabel('What it is for').fill('a report')
    await page.getByRole('button', { name: 'Create the key' }).click()
    expect(await page.locator('.created code').textContent()).toMatch(/^ct_r_/)
    const row = page.getByRole('row', { name: /a report/ })
    await row.getByRole('button', { name: 'Revoke' }).click()
    await row.getByRole('button', { name: 'Revoke for ever?' }).click()
    await row.getByText(/^revoked/).waitFor(patience)
    for (const section of ['Projects', 'Links', 'Webhooks', 'Users', 'Your session', 'Dead letters', 'Audit log']) {
      await page.getByRole('link', { name: section }).click()
    }
    await page.getByRole('cell', { name: 'key.revoke' }).first().waitFor(patience)
    expect(new URL(page.url()).search).toBe('?section=audit')
    expect(complaints).toEqual([])
  })

  test('shows the audit log back to its oldest entry, while entries are added and expire', async () => {
    const add = (entries: number) =>
      database.query(
        `insert into audit_log (actor, actor_name, action, subject)
         select 'system', 'a test', 'test.add', gen_random_uuid() from generate_series(1, $1)`,
        [entries],
      )
    const newest = async (entries?: number) => {
      const { rows } = await database.query('select subject from audit_log order by id desc limit $1', [entries])
      return rows.map(({ subject }) => subject)
    }
    await add(110)
    const { page } = await openDashboard('/settings?section=audit', 'Settings')
    const subjects = () => page.locator('.settings tbody td:nth-child(4)').allTextContents()
    const older = page.getByRole('button', { name: 'Older entries' })
    await expect.poll(subjects, patience).toEqual(await newest(50))
    await older.click()
    await expect.poll(subjects, patience).toEqual(await newest(100))
    await add(3)
    await expect.poll(subjects, patience).toEqual(await newest(100))
    await database.query('delete from audit_log where id < (select max(id) - 108 from audit_log)')
    await older.click()
    await expect.poll(subjects, patience).toEqual(await newest())
    expect(await older.count()).toBe(0)
  })

  test('shows all dead letters, the newest first, as they are resolved', async () => {
    const reason = 'refused_by_test'
    onTestFinished(async () => {
      await database.query('delete from dead_letters where reason = $1', [reason])
    })
    await database.query(
      `insert into dead_letters (producer, sequence, reason, detail, content, clicks)
       select gen_random_uuid(), 1, $1, '', '', 0 from generate_series(1, 70)`,
      [reason],
    )
    const waiting = async (letters?: number) => {
      const { rows } = await database.query(
        'select id from dead_letters where resolution is null order by id desc limit $1',
        [letters],
      )
      return rows.map(({ id }) => String(id))
    }
    const { page } = await openDashboard('/settings?section=letters', 'Settings')
    const shown = () => page.getByRole('rowheader').allTextContents()
    const older = page.getByRole('button', { name: 'Older letters' })
    await expect.poll(shown, patience).toEqual(await waiting(50))
    await older.click()
    await expect.poll(shown, patience).toEqual(await waiting())
    expect(await older.count()).toBe(0)
    const [oldest] = (await waiting()).slice(-1)
    await database.query(`update dead_letters set resolution = 'discarded' where id = $1`, [oldest])
    await expect.poll(shown, patience).toEqual(await waiting())
  })

  test.for(['light', 'dark'] as const)(
    'has no serious violation of accessibility rules in the %s theme',
    async (theme) => {
      const project = `quiet-${theme}`
      await post('/v1/projects', { name: project })
      await post('/v1/webhooks', { url: 'https://hooks.example/clicktally' })
      const { page } = await openDashboard('/?range=30d')
      await page.emulateMedia({ colorScheme: theme })
      for (const address of [
        '/?range=30d',
        '/?range=7d&target=seen-live',
        '/settings?section=keys',
        '/settings?section=webhooks',
        `/?project=${project}`,
      ]) {
        await page.goto(address)
        await page.locator('.plot canvas, .first-click .copy-box, .settings tbody tr').first().waitFor(patience)
        expect([address, await seriousViolations(page)]).toEqual([address, []])
      }
      for (const key of ['f', 's', '?']) {
        await page.goto('/')
        await page.locator('.proof .equation').waitFor(patience)
        await page.keyboard.press(key)
        await page.getByRole('dialog').waitFor(patience)
        expect([key, await seriousViolations(page)]).toEqual([key, []])
      }
    },
  )

  test('takes only its own files, under a policy without exceptions, and at most 60 KiB for the first view', async () => {
    const { page, complaints } = await openDashboard()
    const requested = new Set<string>()
    page.on('request', (request) => requested.add(request.url()))
    await page.reload()
    await page.locator('.plot canvas').waitFor(patience)
    const urls = [...requested]
    expect(urls.filter((url) => !url.startsWith(system.baseUrl))).toEqual([])
    let bytes = 0
    for (const url of urls.filter((each) => !each.includes('/v1/'))) {
      const head = await fetch(url, { method: 'HEAD', headers: { 'accept-encoding': 'gzip' } })
      expect([url, head.headers.get('content-encoding')]).toEqual([url, 'gzip'])
      bytes += Number(head.headers.get('content-length'))
      const isPage = new URL(url).pathname === '/'
      expect(head.headers.get('cache-control')).toBe(isPage ? 'no-cache' : 'public, max-age=31536000, immutable')
      const policy = head.headers.get('content-security-policy')
      expect(policy).toContain("default-src 'none'")
      expect(policy).not.toMatch(/unsafe|data:|https?:|\*/)
    }
    expect(bytes).toBeGreaterThan(10_000)
    expect(bytes).toBeLessThan(mostBytes)
    expect(complaints).toEqual([])
  })

  test('says that a part could not be loaded, as after an upgrade, and to reload the page', async () => {
    const { page, complaints } = await openDashboard()
    const parts = /\/assets\/(find-click|plot|settings)-[^/]+\.js$/
    await page.route(parts, (route) => route.fulfill({ status: 404 }))
    await page.reload()
    await cardOf(page, 'Clicks over time').getByText('could not be loaded').waitFor(patience)
    await page.keyboard.press('f')
    await page.getByRole('dialog').getByText('could not be loaded').waitFor(patience)
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.keyboard.press('g')
    await page.getByRole('heading', { name: 'Clicks today' }).waitFor({ state: 'detached' })
    await page.getByRole('main').getByText('could not be loaded').waitFor(patience)
    await page.unroute(parts)
    await page.getByRole('main').getByRole('button', { name: 'Reload' }).click()
    await page.getByRole('heading', { name: 'Settings' }).waitFor(patience)
    await page.keyboard.press('f')
    await page.getByLabel('The id that the 202 returned').waitFor(patience)
    expect(complaints.filter((text) => !text.includes('404'))).toEqual([])
  })

  test('plots what arrived while the plot was loaded', async () => {
    const { page } = await openDashboard()
    const answered = Promise.withResolvers<void>()
    await page.route('**/assets/plot-*.js', async (route) => {
      await answered.promise
      await route.continue()
    })
    let questions = 0
    // Later answers would be plotted in any case.
    await page.route('**/v1/counts/series?*', async (route) => {
      if (++questions <= 2) await route.continue()
    })
    await page.reload()
    const plot = page.getByRole('img', { name: 'in 24 intervals' })
    await plot.waitFor(patience)
    answered.resolve()
    await page.locator('.plot canvas').waitFor(patience)
    await plot.press('ArrowRight')
    await page.locator('.tip').waitFor(patience)
  })

  test('serves its page at its own paths only', async () => {
    const status = async (path: string) => (await fetch(new URL(path, system.baseUrl))).status
    expect(await Promise.all(['/', '/password', '/settings'].map(status))).toEqual([200, 200, 200])
    const others = [
      '/index.html',
      '/index.html.gz',
      '/password/',
      '/settings%0a',
      '/assets/',
      '/assets/../nginx.conf',
      '/x',
    ]
    for (const path of others) expect([path, await status(path)]).toEqual([path, 404])
    expect(await status('/assets/none.js')).toBe(404)
  })
})
