import { globSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'

// Loads every module with plain Node: vitest takes what Node refuses (enums, `./x.js` for `x.ts`), and a module that does
// something when it is imported shows here. All in this one process: a process for each of them takes a minute and more.
// What a program (main.ts) does when it is imported is its work, so programs are only parsed.
const root = join(import.meta.dirname, '..')
const files = globSync('{services,packages,infra,migrations,local,demo,cli,bench}/**/*.ts', { cwd: root })
  // What is for tests imports vitest, which refuses to load outside of it.
  .filter((file) => !/node_modules|(^|\/)test\/|^packages\/testing\//.test(file))
  .sort()
/** The peers of the benchmark are programs too, each a file. */
const program = /(^|\/)main\.ts$|^bench\/peers\//

let loading: string | undefined
const failures: string[] = []
const fail = (error: unknown) => failures.push(`${loading}\n${error instanceof Error ? error.stack : error}`)

// Instead of being printed: that Node strips types is no news.
process.removeAllListeners('warning')
process.on('warning', (warning) => {
  if (warning.name !== 'ExperimentalWarning') fail(warning)
})
process.on('uncaughtException', fail)
process.on('exit', () => {
  if (loading === undefined) return
  console.error(`${loading}\nends the process when it is imported`)
  process.exitCode = 1
})

/** What keeps a process alive, and was not there before anything was loaded: timers, sockets, servers, children. */
function activeResources(): string {
  return process
    .getActiveResourcesInfo()
    .filter((kind) => /Timeout|Immediate|TCP|Server|Process/.test(kind))
    .sort()
    .join(', ')
}

for (const file of files) {
  loading = file
  try {
    const before = activeResources()
    if (program.test(file)) stripTypeScriptTypes(readFileSync(join(root, file), 'utf8'))
    else await import(join(root, file))
    const after = activeResources()
    if (after !== before) throw new Error(`the module acts when it is imported: ${after}`)
  } catch (error) {
    fail(error)
  }
}
// What the modules have begun without waiting for it.
await new Promise(setImmediate)
loading = undefined

for (const failure of failures) console.error(failure)
console.log(`${files.length - failures.length} modules load with plain Node, ${failures.length} do not`)
process.exit(failures.length === 0 ? 0 : 1)
