import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { closingLine, type RunSummary } from '@clicktally/testing/run-summary.ts'

// `npm test [-- [--repeat-failed] vitest's arguments]`
//
// With --repeat-failed, as in .ci/run, up to three files that fail are run once more, alone (decision 0051).
const maxRepeated = 3
const root = join(import.meta.dirname, '..')
const vitest = join(root, 'node_modules/vitest/vitest.mjs')
// Each test file has a process of its own, and most load the same modules. Removed before each run, because vitest gives each
// run of a test file a name of its own, so that the cache would grow.
const compileCache = join(root, '.local/compile-cache-of-tests')
const summaryPath = join(root, '.local/test-summary.json')

const args = process.argv.slice(2)
const repeatFailed = args.includes('--repeat-failed')
const first = run(args.filter((each) => each !== '--repeat-failed'))
const files = first.summary?.failedFiles ?? []
const isRepeatable = repeatFailed && files.length > 0 && files.length <= maxRepeated
const last = isRepeatable ? repeat(files) : first
if (last.summary !== undefined) console.log(closingLine(last.summary))
process.exitCode = last.status

interface Run {
  readonly status: number
  /** Undefined if vitest did not get as far as a result. */
  readonly summary: RunSummary | undefined
}

function run(args: readonly string[]): Run {
  rmSync(compileCache, { recursive: true, force: true })
  rmSync(summaryPath, { force: true })
  const { status } = spawnSync(process.execPath, [vitest, 'run', ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache, TEST_SUMMARY: summaryPath },
  })
  const summary = existsSync(summaryPath) ? JSON.parse(readFileSync(summaryPath, 'utf8')) : undefined
  return { status: status ?? 1, summary }
}

function repeat(files: readonly string[]): Run {
  const list = files.map((file) => `  ${file}`).join('\n')
  if (first.summary !== undefined) console.log(closingLine(first.summary))
  console.log(`\nThese failed beside the others, and are run once more, alone:\n${list}\n`)
  const again = run([...files, '--no-file-parallelism'])
  if (again.status === 0) console.log(`\nFLAKY, passed when run alone:\n${list}\n`)
  if (first.summary === undefined || again.summary === undefined) return again
  const { passed, failed, skipped } = first.summary
  const stillFailed = again.summary.failed
  return {
    status: again.status,
    summary: { ...again.summary, passed: passed + failed - stillFailed, failed: stillFailed, skipped },
  }
}
