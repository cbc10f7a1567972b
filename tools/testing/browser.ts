import type { Browser } from 'playwright-core'
import { onTestFinished } from 'vitest'
import { launchChromium } from './chromium.ts'

/**
 * Opens a headless Chromium and closes it when the test ends.
 *
 * @throws Problem that says what to install
 */
export async function openBrowser(): Promise<Browser> {
  const browser = await launchChromium()
  onTestFinished(() => browser.close())
  return browser
}
