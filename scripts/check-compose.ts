import { type SpawnSyncOptions, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../local/ports.ts'

// The compose file for real: build, up at scale, the demo through it, fewer and more of them while clicks arrive, down.
const root = join(import.meta.dirname, '..')
const port = await freePort()
const project = `clicktally-check-${process.pid}`
const env = { ...process.env, CLICKTALLY_LISTEN: `127.0.0.1:${port}` }
const log = join(root, '..', 'shared', 'data', 'apache_logs.gz')

try {
  compose('up', '--build', '--wait', '--scale', 'processor=3', '--scale', 'ingest=2')
  compose('ps', '--all')
  run(process.execPath, [
    'demo/main.ts',
    '--url',
    `http://127.0.0.1:${port}`,
    ...(existsSync(log) ? ['--log', log] : []),
  ])
  // While clicks arrive: instances come and go, nginx follows, and the counts are equal all the same.
  const demo = start(process.execPath, [
    'demo/main.ts',
    '--url',
    `http://127.0.0.1:${port}`,
    '--clicks',
    '300000',
    '--once',
  ])
  compose('up', '--detach', '--wait', '--no-recreate', '--scale', 'processor=1', '--scale', 'ingest=1')
  compose('up', '--detach', '--wait', '--no-recreate', '--scale', 'processor=4', '--scale', 'ingest=2')
  await demo
  // The operators' command line, in its container.
  compose('run', '--rm', '--build', 'cli', 'verify')
  compose('run', '--rm', 'cli', 'balance')
} catch (error) {
  spawnSync('docker', ['compose', '-p', project, 'logs', '--tail', '40'], { cwd: root, env, stdio: 'inherit' })
  throw error
} finally {
  compose('--profile', 'tools', 'down', '--volumes', '--rmi', 'local', '--timeout', '30')
}

function compose(...args: string[]): void {
  run('docker', ['compose', '--progress', 'quiet', '-p', project, ...args])
}

function run(command: string, args: string[]): void {
  console.log(`$ ${[command, ...args].join(' ').replace(process.execPath, 'node')}`)
  const options: SpawnSyncOptions = { cwd: root, env, stdio: 'inherit' }
  const { status } = spawnSync(command, args, options)
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`)
}

function start(command: string, args: string[]): Promise<void> {
  console.log(`$ ${['node', ...args].join(' ')} &`)
  const child = spawn(command, args, { cwd: root, env, stdio: 'inherit' })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (status) => (status === 0 ? resolve() : reject(new Error(`${args[0]} ended with ${status}`))))
  })
}
