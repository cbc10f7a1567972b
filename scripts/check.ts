import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

// Everything that must hold before a change lands, but for the tests: types, lint, the rules on
// imports, unused files, exports and dependencies, plain Node.
const root = join(import.meta.dirname, '..')
const node = process.execPath
const steps = [
  ['types', [node, 'node_modules/typescript/bin/tsc']],
  ['types of the pages', [node, 'node_modules/typescript/bin/tsc', '--project', 'web']],
  ['lint', [node, 'node_modules/@biomejs/biome/bin/biome', 'ci']],
  ['imports', [node, 'scripts/check-imports.ts']],
  ['unused', [node, 'node_modules/knip/bin/knip.js', '--no-progress']],
  ['modules', [node, 'scripts/check-modules.ts']],
] as const

for (const [name, [command, ...args]] of steps) {
  const startedAtMs = Date.now()
  console.log(`── ${name}`)
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  console.log(`── ${name}: ${status === 0 ? 'passed' : 'failed'} (${((Date.now() - startedAtMs) / 1000).toFixed(1)} s)`)
  if (status !== 0) process.exit(status ?? 1)
}
