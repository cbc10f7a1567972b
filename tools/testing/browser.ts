import type { Page } from 'playwright-core'
import { onTestFinished } from 'vitest'
import { launchChromium } from './chromium.ts'
import { patience } from './patience.ts'

/**
 * Opens a page in a headless Chromium of its own, which is closed when the test ends. It waits as long as a test does, instead of
 * playwright's 30 s.
 *
 * @throws Problem that says what to install
 */
export async function openPage(): Promise<Page> {
  const browser = await launchChromium()
  onTestFinished(() => browser.close())
  const page = await browser.newPage()
  page.setDefaultTimeout(patience.timeout)
  return page
}
