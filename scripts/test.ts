import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'

// `npm test [-- vitest's arguments]`
const root = join(import.meta.dirname, '..')
const vitest = join(root, 'node_modules/vitest/vitest.mjs')
// Each test file has a process of its own, and most load the same modules. Removed before each run, because vitest gives each
// run of a test file a name of its own, so that the cache would grow.
const compileCache = join(root, '.local/compile-cache-of-tests')
rmSync(compileCache, { recursive: true, force: true })
const { status } = spawnSync(process.execPath, [vitest, 'run', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
})
process.exitCode = status ?? 1
