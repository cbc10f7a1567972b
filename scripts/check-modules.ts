import { globSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'

// Loads every module with plain Node, because vitest accepts what Node rejects (enums, `./x.js` for `x.ts`), and checks that no
// module acts when it is imported. All in one process: a process for each module would take more than a minute. Programs (main.ts)
// act when they are imported, so they are only parsed.
const root = join(import.meta.dirname, '..')
const files = globSync('{services,packages,clients,infra,migrations,local,cli,tools,web/build}/**/*.ts', { cwd: root })
  // Test code imports vitest, which does not load outside a test run.
  // And infra/aws has dependencies of its own.
  .filter((file) => !/node_modules|(^|\/)(test|dist)\/|^(tools\/testing|infra\/aws)\//.test(file))
  .sort()
/** Each peer of the benchmark is a program too. */
const program = /(^|\/)main\.ts$|^tools\/bench\/peers\//

let loading: string | undefined
const failures: string[] = []
const fail = (error: unknown) => failures.push(`${loading}\n${error instanceof Error ? error.stack : error}`)

// Warnings are failures, except that type stripping is experimental.
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

/** Resources that keep a process alive: timers, sockets, servers, child processes. */
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
// Lets asynchronous actions of the modules begin.
await new Promise(setImmediate)
loading = undefined

for (const failure of failures) console.error(failure)
console.log(`${files.length - failures.length} modules load with plain Node, ${failures.length} do not`)
process.exit(failures.length === 0 ? 0 : 1)
