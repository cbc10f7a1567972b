import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { CliContext } from '../cli-context.ts'
import { usageError } from '../cli-error.ts'
import { composeIsRunning } from '../compose.ts'
import { readLocalRun } from '../local-run.ts'
import { findSystem } from '../system-access.ts'

const cloneDir = join(import.meta.dirname, '..', '..')

/**
 * Where clicks are sent to, ending in `/`. Containers publish nginx on this machine, so that nothing has to be run inside:
 * files are read where they lie.
 *
 * @param given what the person says
 * @throws {CliError} where it is no address, or no running system is found
 */
export async function findBaseUrl(context: CliContext, given: string | undefined): Promise<URL> {
  const text = given ?? (await published(context)) ?? (await findSystem(context, ['baseUrl'])).baseUrl
  const url = URL.parse(text)
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.search !== '' || url.hash !== '') {
    throw usageError(`--url ${text}: give an address as in http://127.0.0.1:8080`)
  }
  // So that paths are added to it, not put in the place of its last part.
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
}

/** Where compose publishes nginx, if that is what runs in this folder. */
async function published(context: CliContext): Promise<string | undefined> {
  const { databaseUrl, brokerUrl, managementUrl, baseUrl } = context.config
  const isSaid = [databaseUrl, brokerUrl, managementUrl, baseUrl].some((address) => address !== undefined)
  if (isSaid || (await readLocalRun(join(cloneDir, '.local'))) !== undefined) return undefined
  if (!(await composeIsRunning(cloneDir))) return undefined
  const address = await publishedAddress()
  return address === undefined ? undefined : `http://${address.replace(/^(0\.0\.0\.0|\[::\]):/, '127.0.0.1:')}`
}

async function publishedAddress(): Promise<string | undefined> {
  const child = spawn('docker', ['compose', 'port', 'nginx', '8080'], {
    cwd: cloneDir,
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 20_000,
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  return await new Promise((settle) => {
    child.once('error', () => settle(undefined))
    child.once('close', () => settle(/^\S+:\d+$/m.exec(output)?.[0]))
  })
}
