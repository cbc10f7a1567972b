import type { Browser } from 'playwright-core'
import { type SignIn, signIn } from './dashboard.ts'

export interface FirstView {
  /** Time until the largest element was painted, in milliseconds, of each of several visits without a cache. */
  readonly largestPaintsMs: readonly number[]
  /** Of the page, scripts and styles, as they were transferred, with headers. */
  readonly bytes: number
}

const visits = 5

/** Visits the overview as a signed-in user whose browser has nothing in its cache. */
export async function measureFirstView(browser: Browser, baseUrl: string, user: SignIn): Promise<FirstView> {
  const context = await browser.newContext({ baseURL: baseUrl, viewport: { width: 1440, height: 900 } })
  const page = await context.newPage()
  await page.goto('/')
  await signIn(page, user)
  const devTools = await context.newCDPSession(page)
  await devTools.send('Network.enable')
  await devTools.send('Network.setCacheDisabled', { cacheDisabled: true })
  const paints: number[] = []
  let bytes = 0
  for (let visit = 0; visit < visits; visit++) {
    await page.goto('/?range=30d')
    await page.waitForSelector('.plot canvas')
    // The browser reports larger elements as they are painted. All have been by now.
    await page.waitForTimeout(1_000)
    const measured = (await page.evaluate(`new Promise((resolve) =>
      new PerformanceObserver((list) => resolve({
        paintMs: list.getEntries().at(-1).startTime,
        bytes: [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
          .filter(({ name }) => !name.includes('/v1/'))
          .reduce((sum, { transferSize }) => sum + transferSize, 0),
      })).observe({ type: 'largest-contentful-paint', buffered: true }))`)) as { paintMs: number; bytes: number }
    paints.push(measured.paintMs)
    bytes = measured.bytes
  }
  await context.close()
  return { largestPaintsMs: paints, bytes }
}

export function describeFirstView({ largestPaintsMs, bytes }: FirstView): string {
  const median = largestPaintsMs.toSorted((a, b) => a - b)[Math.floor(visits / 2)] ?? Number.NaN
  return `First view: ${(bytes / 1024).toFixed(1)} KiB, largest contentful paint after ${Math.round(median)} ms (median of ${visits})`
}
