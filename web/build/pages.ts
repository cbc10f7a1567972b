import { createHash, randomBytes } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import { buildSnippet } from './snippet.ts'

/** A built file that nginx serves. */
export interface PageFile {
  /** Relative to the root of the site, such as `assets/main-B2x1.js`. */
  readonly path: string
  readonly content: Buffer
}

const webDir = join(import.meta.dirname, '..')

/**
 * The built files, from the cache if the sources have not changed since the last build.
 *
 * @param cacheDir a folder with one subfolder for each version of the sources
 * @param onBuild called before a build, which takes about two seconds
 */
export async function cachedPages(cacheDir: string, onBuild: () => void): Promise<PageFile[]> {
  const built = join(cacheDir, sourceHash())
  if (!existsSync(built)) {
    onBuild()
    mkdirSync(cacheDir, { recursive: true })
    const unfinished = `${built}.${randomBytes(6).toString('hex')}`
    try {
      await buildPages(unfinished)
      renameSync(unfinished, built)
    } catch (error) {
      // Another process may have built the same version in the meantime.
      if (!existsSync(built)) throw error
    } finally {
      rmSync(unfinished, { recursive: true, force: true })
    }
  }
  return filesBelow(built).map((path) => ({ path, content: readFileSync(join(built, path)) }))
}

/** Builds the pages into a new folder. Each text file also gets a compressed copy, which nginx serves with gzip_static. */
export async function buildPages(outDir: string): Promise<void> {
  // Loading Vite takes a third of a second, which a start with cached pages does not need.
  const { build } = await import('vite')
  await build({
    root: webDir,
    configFile: false,
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir,
      emptyOutDir: true,
      target: 'es2022',
      // The content security policy allows no data: URLs.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
      // On a busy machine every build is slow, which nobody needs to read about.
      rolldownOptions: { checks: { bundlerTimings: false } },
    },
  })
  await buildSnippet(outDir)
  await Promise.all(
    filesBelow(outDir).map(async (path) => {
      const content = readFileSync(join(outDir, path))
      const compressed = await promisify(gzip)(content, { level: constants.Z_BEST_COMPRESSION })
      if (compressed.length < content.length) writeFileSync(join(outDir, `${path}.gz`), compressed)
    }),
  )
}

/** Changes with everything that the built files depend on. */
function sourceHash(): string {
  const hash = createHash('sha256')
  const sources = [
    'index.html',
    'package.json',
    ...globSync('{build,snippet,src}/**/*.{ts,tsx,css,svg}', { cwd: webDir }).sort(),
  ]
  for (const path of [...sources, '../pnpm-lock.yaml']) {
    hash.update(`\n${path}\n`).update(readFileSync(join(webDir, path)))
  }
  return hash.digest('hex').slice(0, 16)
}

function filesBelow(folder: string): string[] {
  return globSync('**', { cwd: folder, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()
}
