import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { startSystem } from '@clicktally/local/system.ts'
import { launchChromium } from '@clicktally/testing/chromium.ts'
import { emptyProject, firstUserOf, takeScreenshots } from './dashboard.ts'
import { describeFirstView, measureFirstView } from './first-view.ts'
import { createProject, declareProps, keepClicking, sendSampleClicks } from './sample-clicks.ts'

// Takes pictures of the dashboard of a system of its own, with sample clicks, in both themes and three widths:
// npm run screenshots [-- <folder>]. Without a folder, those that docs/screenshots has are taken anew.
const [given] = process.argv.slice(2)
const folder = resolve(given ?? 'docs/screenshots')
const isWanted = (path: string) => given !== undefined || existsSync(path)
const dir = await makeScratchFolder('screenshots')
const stopClicks = new AbortController()
const system = await startSystem({ dir, port: 0, ingests: 1, processors: 1, onLine: console.log })
const user = firstUserOf(join(system.secretsDir, 'operator'))
try {
  console.log('Sending sample clicks')
  await sendSampleClicks(system.baseUrl, system.ownerKey)
  await declareProps(system.baseUrl, system.ownerKey, 'default')
  await createProject(system.baseUrl, system.ownerKey, emptyProject)
  const clicking = keepClicking(system.baseUrl, system.ownerKey, stopClicks.signal)
  const browser = await launchChromium()
  try {
    mkdirSync(folder, { recursive: true })
    console.log(describeFirstView(await measureFirstView(browser, system.baseUrl, user)))
    for await (const path of takeScreenshots(browser, system.baseUrl, user, folder, isWanted)) {
      console.log(path)
    }
  } finally {
    stopClicks.abort()
    await browser.close()
    await clicking
  }
} finally {
  await system.stop()
  rmSync(dir, { recursive: true, force: true })
}
