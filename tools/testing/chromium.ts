import { join } from 'node:path'
import { localDir } from '@clicktally/local/files/local-folder.ts'
import { hasDebianPackages, unpackedPackage } from '@clicktally/local/installation/debian-packages.ts'
import { unpackedLibraries } from '@clicktally/local/installation/installation-advice.ts'
import { findPrograms } from '@clicktally/local/installation/program-search.ts'
import { childEnvironment } from '@clicktally/local/services/child-environment.ts'
import { type Browser, chromium } from 'playwright-core'

const names = ['chromium', 'google-chrome', 'chromium-browser']

/**
 * Opens a headless Chromium: the one on PATH or, on Debian and Ubuntu, the distribution's package, unpacked. The caller closes it.
 *
 * @throws Problem that says what to install
 */
export async function launchChromium(): Promise<Browser> {
  const { executablePath, env } = await findChromium()
  // The sandbox needs privileges that containers lack, and does not work as root. The browser loads only our own pages.
  return await chromium.launch({ executablePath, env: childEnvironment(env), args: ['--no-sandbox'] })
}

async function findChromium(): Promise<{ executablePath: string; env: Record<string, string> }> {
  const [found] = names.flatMap((name) => findPrograms(name))
  if (found !== undefined) return { executablePath: found, env: {} }
  if (!hasDebianPackages()) throw new Error(`This needs a browser: install one of ${names.join(', ')}.`)
  const dir = join(localDir, 'debian')
  const root = await unpackedPackage({ package: 'chromium-headless-shell', dir, onLine: () => {} })
  return { executablePath: join(root, 'usr/lib/chromium/chromium-headless-shell'), env: unpackedLibraries(root) }
}
