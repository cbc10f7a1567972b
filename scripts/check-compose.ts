import { type SpawnSyncOptions, spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { freePort } from '../local/ports.ts'
import { readConfig } from '../tools/testing/config.ts'

// Tries docker-compose.yml for real: build, start at scale, run the demo, scale down and up while clicks arrive, stop.
const root = join(import.meta.dirname, '..')
const port = await freePort()
const project = `clicktally-check-${process.pid}`
const env: NodeJS.ProcessEnv = { ...process.env, CLICKTALLY_LISTEN: `127.0.0.1:${port}` }
const { accessLog } = readConfig(process.env)

try {
  compose('up', '--build', '--wait', '--scale', 'processor=3', '--scale', 'ingest=2')
  compose('ps', '--all')
  env.CLICKTALLY_KEY = operatorKey()
  run(process.execPath, [
    'tools/demo/main.ts',
    '--url',
    `http://127.0.0.1:${port}`,
    ...(accessLog === undefined ? [] : ['--log', accessLog]),
  ])
  // While clicks arrive, instances come and go. nginx must follow them, and the counts must still be equal.
  const demo = start(process.execPath, [
    'tools/demo/main.ts',
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

/** Of the system that runs: in a volume that only the command line's container mounts. */
function operatorKey(): string {
  const args = ['compose', '--progress', 'quiet', '-p', project, 'run', '--rm', '--no-deps', '--build', '--no-TTY']
  const { stdout } = spawnSync('docker', [...args, '--entrypoint', 'cat', 'cli', '/run/secrets/owner-key'], {
    cwd: root,
    env,
  })
  const key = String(stdout).trim()
  if (!key.startsWith('ct_o_')) throw new Error('the operator has no key')
  return key
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
