import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const pnpm = join(root, '.local/tools/pnpm/node_modules/pnpm/bin/pnpm.mjs')

/** Installs the dependencies of a folder that is no member of the workspace, if they are missing. Ends this process if that fails. */
export function installOwnDependencies(folder: string): void {
  const stamp = join(folder, 'node_modules/.installed')
  const lock = createHash('sha256')
    .update(readFileSync(join(folder, 'pnpm-lock.yaml')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  const options = ['--frozen-lockfile', '--config.confirmModulesPurge=false', '--reporter=append-only']
  runNode(folder, [pnpm, 'install', ...options])
  writeFileSync(stamp, lock)
}

/** Checks the types of a folder that has dependencies of its own, and runs its tests. */
export function checkOwn(folder: string): void {
  runNode(folder, [join(root, 'node_modules/typescript/bin/tsc'), '--project', folder])
  runNode(folder, ['--test', 'test/*.test.ts'])
}

/** Runs Node in the folder, and ends this process if it fails. */
export function runNode(folder: string, args: readonly string[]): void {
  const { status } = spawnSync(process.execPath, args, { cwd: folder, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
