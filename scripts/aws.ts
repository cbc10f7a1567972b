import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

// npm run aws -- <command>: infra/aws, which has dependencies of its own. They are installed at the first use, so that nothing else waits
// for them.
const root = join(import.meta.dirname, '..')
const folder = join(root, 'infra/aws')
const pnpm = join(root, '.local/tools/pnpm/node_modules/pnpm/bin/pnpm.mjs')
const stamp = join(folder, 'node_modules/.installed')

const usage = `npm run aws -- <command>
  check            types and tests, without an AWS account
  costs            the tables of docs/aws.md
  synth, diff, deploy, destroy, bootstrap …
                   the CDK's own, with the settings of docs/aws.md as -c name=value`

const [command, ...args] = process.argv.slice(2)
if (command === undefined) {
  console.error(usage)
  process.exit(2)
}
install()
if (command === 'check') {
  run([join(root, 'node_modules/typescript/bin/tsc'), '--project', folder])
  run(['--test', 'test/*.test.ts'])
} else if (command === 'costs') {
  run(['--eval', `console.log((await import('./costs.ts')).costTables())`, '--input-type=module'])
} else {
  run([join(folder, 'node_modules/aws-cdk/bin/cdk'), command, ...args])
}

function install(): void {
  const lock = createHash('sha256')
    .update(readFileSync(join(folder, 'pnpm-lock.yaml')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  run([pnpm, 'install', '--frozen-lockfile', '--config.confirmModulesPurge=false', '--reporter=append-only'])
  writeFileSync(stamp, lock)
}

/** Runs Node in the folder, and ends this process if it fails. */
function run(nodeArgs: readonly string[]): void {
  const { status } = spawnSync(process.execPath, nodeArgs, { cwd: folder, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
