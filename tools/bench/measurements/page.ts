import { readFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { firstUserOf } from '@clicktally/screenshots/dashboard.ts'
import { type FirstView, measureFirstView } from '@clicktally/screenshots/first-view.ts'
import { sendSampleClicks } from '@clicktally/screenshots/sample-clicks.ts'
import { launchChromium } from '@clicktally/testing/chromium.ts'
import type { Measurement } from '../measurement.ts'
import type { BenchSystem } from '../system/bench-system.ts'

/** Sizes of what browsers load, and the time until the dashboard is seen. 1 KiB is 1,024 bytes. */
export const page: Measurement = {
  name: 'page',
  title: 'sizes of the pages, and the time until one is seen',
  run: async (stage) => {
    const system = await stage.system()
    stage.progress('the script', 0)
    const script = await transferredBytes(`${system.baseUrl}/tally.js`)
    stage.progress('clicks to show', 0.1)
    await system.setProcessors(1)
    await sendSampleClicks(system.baseUrl, system.ownerKey)
    await system.untilCounted()
    stage.progress('the dashboard', 0.5)
    const view = await firstViewOf(system)
    const size = (name: string, bytes: number) => ({ name, cells: [[bytes / 1_024], undefined] })
    return {
      title: 'Pages',
      about: [
        `What a browser loads from nginx, compressed with gzip. The script of Plausible is its npm package, compressed in the same way. Umami
publishes no package: its script, built once from the source of 3.1.0 as its own build does, takes 2.17 KiB. The dashboard is opened by a signed-in user whose browser, a headless Chromium on the same machine, has nothing in its cache; answers of
the API are not included in its size.`,
      ],
      tables: [
        {
          of: 'page',
          columns: [
            { name: 'size', unit: 'KiB' },
            { name: 'largest contentful paint', unit: 'ms' },
          ],
          rows: [
            size('the script for web pages, `tally.js`', script),
            size('for comparison: `@plausible-analytics/tracker`', plausibleBytes()),
            { name: 'first view of the dashboard', cells: [[view.bytes / 1_024], view.largestPaintsMs] },
          ],
        },
      ],
      verdicts: [
        { target: 'snippetBytes', samples: [script / 1_024] },
        { target: 'firstViewBytes', samples: [view.bytes / 1_024] },
        { target: 'largestPaint', samples: view.largestPaintsMs },
      ],
      voided: [],
    }
  },
}

async function firstViewOf({ baseUrl, secretsDir }: BenchSystem): Promise<FirstView> {
  const browser = await launchChromium()
  try {
    return await measureFirstView(browser, baseUrl, firstUserOf(join(secretsDir, 'operator')))
  } finally {
    await browser.close()
  }
}

/** The size of the body as it is transferred to a browser. `fetch` would decompress it. */
function transferredBytes(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = get(url, { headers: { 'accept-encoding': 'gzip' } }, (response) => {
      if (response.statusCode !== 200 || response.headers['content-encoding'] !== 'gzip') {
        reject(new Error(`${url} was answered ${response.statusCode}, ${response.headers['content-encoding']}`))
      }
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
      })
      response.on('end', () => resolve(bytes))
    })
    request.on('error', reject)
  })
}

function plausibleBytes(): number {
  return gzipSync(readFileSync(fileURLToPath(import.meta.resolve('@plausible-analytics/tracker'))), { level: 9 }).length
}
