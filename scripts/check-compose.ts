import { spawn } from 'node:child_process'
import { freePort } from '../local/ports.ts'
import { readConfig } from '../tools/testing/config.ts'
import { checkJanitor, janitorSettings } from './compose-janitor.ts'
import { checkObservability } from './compose-observability.ts'
import { ComposeProject, root } from './compose-project.ts'

// Tries docker-compose.yml for real: build, start at scale, run the demo, scale down and up while clicks arrive, archive, watch, stop.
const port = await freePort()
const baseUrl = `http://127.0.0.1:${port}`
const project = new ComposeProject({ CLICKTALLY_LISTEN: `127.0.0.1:${port}`, ...janitorSettings })
const { accessLog } = readConfig(process.env)

try {
  project.compose('up', '--build', '--wait', '--scale', 'processor=3', '--scale', 'ingest=2')
  project.compose('ps', '--all')
  const key = operatorKey()
  project.env.CLICKTALLY_KEY = key
  const demo = ['tools/demo/main.ts', '--url', baseUrl]
  project.run(process.execPath, [...demo, ...(accessLog === undefined ? [] : ['--log', accessLog])])
  // While clicks arrive, instances come and go. nginx must follow them, and the counts must still be equal.
  const again = start(process.execPath, [...demo, '--clicks', '300000', '--once'])
  const scaled = (processors: number, ingests: number) => [
    '--scale',
    `processor=${processors}`,
    '--scale',
    `ingest=${ingests}`,
  ]
  project.compose('up', '--detach', '--wait', '--no-recreate', ...scaled(1, 1))
  project.compose('up', '--detach', '--wait', '--no-recreate', ...scaled(4, 2))
  await again
  // The operators' command line, in its container.
  project.compose('run', '--rm', '--build', 'cli', 'verify')
  project.compose('run', '--rm', 'cli', 'balance')
  await Promise.all([checkJanitor(project, baseUrl, key), checkObservability(project)])
  project.compose('run', '--rm', 'cli', 'verify')
} catch (error) {
  project.showLogs()
  throw error
} finally {
  project.remove()
}

/** Of the system that runs: in a volume that only the command line's container mounts. */
function operatorKey(): string {
  const run = ['run', '--rm', '--no-deps', '--build', '--no-TTY', '--entrypoint', 'cat']
  const key = project.output(...run, 'cli', '/run/secrets/owner-key').trim()
  if (!key.startsWith('ct_o_')) throw new Error('the operator has no key')
  return key
}

function start(command: string, args: string[]): Promise<void> {
  console.log(`$ ${['node', ...args].join(' ')} &`)
  const child = spawn(command, args, { cwd: root, env: project.env, stdio: 'inherit' })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (status) => (status === 0 ? resolve() : reject(new Error(`${args[0]} ended with ${status}`))))
  })
}
