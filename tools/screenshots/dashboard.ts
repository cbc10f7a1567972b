import { join } from 'node:path'
import { readFirstKeys } from '@clicktally/keys/first-keys.ts'
import type { Browser, Page } from 'playwright-core'

const themes = ['light', 'dark'] as const
/** A small phone, a tablet, a laptop. */
const widths = [360, 800, 1440] as const
/** A project without clicks. */
export const emptyProject = 'new'
/** By file name: the address, what to wait for, and to what to scroll. */
const views: Readonly<Record<string, { address: string; ready: string; shows?: string }>> = {
  overview: { address: '/?range=30d', ready: '.plot canvas' },
  breakdowns: { address: '/?range=30d', ready: '.plot canvas', shows: '.cards.narrow' },
  filtered: { address: '/?range=30d&filter=browser:not:Safari&filter=channel:is:search,social', ready: '.plot canvas' },
  'first-click': { address: `/?project=${emptyProject}`, ready: '.first-click .copy-box' },
  settings: { address: '/settings?section=keys', ready: '.settings tbody tr' },
  keys: { address: '/settings?section=keys', ready: '.settings tbody tr', shows: '.stacks' },
  projects: { address: '/settings?section=projects', ready: '.settings tbody tr', shows: '.stacks' },
  users: { address: '/settings?section=users', ready: '.settings tbody tr', shows: '.stacks' },
  audit: { address: '/settings?section=audit', ready: '.settings tbody tr', shows: '.stacks' },
}

export interface SignIn {
  readonly email: string
  readonly password: string
}

export function firstUserOf(operatorDir: string): SignIn {
  const { email, password } = readFirstKeys(operatorDir)
  return { email, password }
}

/** Takes a picture of each view in each theme and width whose path is wanted, and yields the path of each. */
export async function* takeScreenshots(
  browser: Browser,
  baseUrl: string,
  user: SignIn,
  folder: string,
  isWanted: (path: string) => boolean,
): AsyncGenerator<string> {
  for (const colorScheme of themes) {
    const context = await browser.newContext({
      baseURL: baseUrl,
      colorScheme,
      locale: 'en-GB',
      reducedMotion: 'reduce',
    })
    const page = await context.newPage()
    for (const width of widths) {
      await page.setViewportSize({ width, height: width === 360 ? 740 : 900 })
      const pathOf = (name: string) => join(folder, `${name}-${colorScheme}-${width}.png`)
      const picture = async (name: string) => {
        await page.screenshot({ path: pathOf(name) })
        return pathOf(name)
      }
      if (width === widths[0]) {
        await page.goto('/')
        await page.waitForSelector('form')
        if (isWanted(pathOf('sign-in'))) yield await picture('sign-in')
        await signIn(page, user)
      }
      for (const [name, { address, ready, shows }] of Object.entries(views)) {
        if (!isWanted(pathOf(name))) continue
        await page.goto(address)
        await page.waitForSelector(ready)
        if (shows !== undefined) {
          await page.evaluate(`document.querySelector('${shows}').scrollIntoView()`)
          await page.waitForSelector(`${shows} tbody tr`)
        }
        // Every card has its numbers.
        await page.locator('.waiting, [data-outdated]').first().waitFor({ state: 'detached' })
        await page.waitForTimeout(500)
        yield await picture(name)
      }
    }
    await context.close()
  }
}

/** Fills in the form of the page, and waits for the overview. */
export async function signIn(page: Page, { email, password }: SignIn): Promise<void> {
  await page.getByLabel('Email address').fill(email)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.waitForSelector('.top-bar')
}
