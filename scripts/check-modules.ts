import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

// Loads every module with plain Node, each in a process of its own: vitest takes what Node refuses (enums, `./x.js` for
// `x.ts`), and a module that does something when it is imported shows here. main.ts files act, so they are only parsed.
const root = join(import.meta.dirname, '..')
const files = globSync('{services,packages,infra,migrations,local,demo,cli,bench}/**/*.ts', { cwd: root })
  // What is for tests imports vitest, which refuses to load outside of it.
  .filter((file) => !/node_modules|(^|\/)test\/|^packages\/testing\//.test(file))
/** The peers of the benchmark are programs too, each a file. */
const program = /(^|\/)main\.ts$|^bench\/peers\//

const run = promisify(execFile)
const waiting = files.sort()
const failures: string[] = []

/** Undefined if the module loads. */
async function failureOf(file: string): Promise<string | undefined> {
  const path = JSON.stringify(join(root, file))
  const source = program.test(file)
    ? `const { stripTypeScriptTypes } = await import('node:module'); stripTypeScriptTypes((await import('node:fs')).readFileSync(${path}, 'utf8'))`
    : `await import(${path}); const { getActiveResourcesInfo: active } = process; if (active().some((kind) => /Timeout|TCP|Server|Process/.test(kind))) throw new Error('the module acts when it is imported')`
  try {
    const { stderr } = await run(process.execPath, ['--input-type=module', '--eval', source], {
      cwd: root,
      timeout: 30_000,
      env: { ...process.env, NODE_OPTIONS: '--disable-warning=ExperimentalWarning' },
    })
    return stderr === '' ? undefined : stderr
  } catch (error) {
    return (error as Error).message
  }
}

async function checkWaiting(): Promise<void> {
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    const failure = await failureOf(file)
    if (failure !== undefined) failures.push(`${file}\n${failure}`)
  }
}

const count = files.length
await Promise.all(Array.from({ length: availableParallelism() }, checkWaiting))
for (const failure of failures) console.error(failure)
console.log(`${count - failures.length} modules load with plain Node, ${failures.length} do not`)
process.exitCode = failures.length === 0 ? 0 : 1
