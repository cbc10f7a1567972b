import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'

// Loads every module with plain Node, each in a process of its own: vitest takes what Node refuses (enums, `./x.js` for
// `x.ts`), and a module that does something when it is imported shows here. main.ts files act, so they are only parsed.
const root = join(import.meta.dirname, '..')
const files = globSync('{services,packages,infra,migrations,local,demo,cli}/**/*.ts', { cwd: root })
  // What is for tests imports vitest, which refuses to load outside of it.
  .filter((file) => !/node_modules|(^|\/)test\/|^packages\/testing\//.test(file))

let failed = 0
for (const file of files.sort()) {
  const main = file.endsWith('main.ts')
  const path = JSON.stringify(join(root, file))
  const program = main
    ? `const { stripTypeScriptTypes } = await import('node:module'); stripTypeScriptTypes((await import('node:fs')).readFileSync(${path}, 'utf8'))`
    : `await import(${path}); const { getActiveResourcesInfo: active } = process; if (active().some((kind) => /Timeout|TCP|Server|Process/.test(kind))) throw new Error('the module acts when it is imported')`
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: root,
    encoding: 'utf8',
    timeout: 30_000,
    env: { ...process.env, NODE_OPTIONS: '--disable-warning=ExperimentalWarning' },
  })
  if (status === 0 && stderr === '') continue
  failed += 1
  console.error(`${file}\n${stderr || `exit status ${status}`}`)
}
console.log(`${files.length - failed} modules load with plain Node, ${failed} do not`)
process.exitCode = failed === 0 ? 0 : 1
