import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { CliContext } from '../cli-context.ts'
import { usageError } from '../cli-error.ts'
import { composeIsRunning, operatorKeyInCompose, publishedUrls } from './compose.ts'
import { readLocalRun } from './local-run.ts'
import { findSystem } from './system-access.ts'

const cloneDir = join(import.meta.dirname, '../..')

/** Where requests are sent to, and with which key. */
export interface HttpAccess {
  /** Ends in `/`. */
  readonly baseUrl: URL
  readonly key: string
}

/** The same where a key is not necessary. */
export interface FoundServer {
  readonly baseUrl: URL
  readonly key: string | undefined
}

/** The address and the key that the user names, as options of Commander. */
export interface GivenAccess {
  readonly url?: string
  /** A file with a key. */
  readonly keyFile?: string
}

export function addAccessOptions(command: Command): Command {
  return command
    .option('--url <url>', 'base URL of Clicktally, such as http://127.0.0.1:8080')
    .option('--key-file <file>', 'file with the key; otherwise CLICKTALLY_KEY, or the key of the system in this folder')
}

/**
 * Finds the HTTP address of the system and a key for it. Compose publishes nginx on this machine, so that nothing has to run
 * in a container: files are read where they are.
 *
 * @throws {CliError} if it is no address, no running system is found, or there is no key for it
 */
export async function findHttpAccess(context: CliContext, given: GivenAccess): Promise<HttpAccess> {
  const { baseUrl, key } = await findServer(context, given)
  if (key === undefined) {
    throw usageError(`There is no key for ${baseUrl.origin}: set CLICKTALLY_KEY to a key that it knows.`)
  }
  return { baseUrl, key }
}

/**
 * Finds the same, with a key if there is one.
 *
 * @throws {CliError} if it is no address, or no running system is found
 */
export async function findServer(context: CliContext, given: GivenAccess = {}): Promise<FoundServer> {
  const text = given.url ?? (await published(context)) ?? (await findSystem(context, ['baseUrl'])).baseUrl
  const url = URL.parse(text)
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.search !== '' || url.hash !== '') {
    throw usageError(`--url ${text}: give an address as in http://127.0.0.1:8080`)
  }
  // So that paths are added to it, not put in the place of its last part.
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return { baseUrl: url, key: (await keyIn(given.keyFile)) ?? context.config.key ?? (await operatorKeyOf(url)) }
}

async function keyIn(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw usageError(`--key-file: ${error.message}`)
  })
  if (text.trim() === '') throw usageError(`--key-file: ${file} is empty.`)
  return text.trim()
}

/**
 * The operator's key of the system that runs in this folder, if that is where the address leads. The key is sent to no other
 * server.
 */
export async function operatorKeyOf(url: URL, dir: string = cloneDir): Promise<string | undefined> {
  const local = await readLocalRun(join(dir, '.local'))
  if (local !== undefined && isSameServer(url, local.baseUrl)) return local.key
  if (!isLoopback(url) || !(await composeIsRunning(dir))) return undefined
  const addresses = await publishedUrls(dir)
  return addresses.some((address) => isSameServer(url, address)) ? await operatorKeyInCompose(dir) : undefined
}

/** Where compose publishes nginx, if that is what runs in this folder. */
async function published(context: CliContext): Promise<string | undefined> {
  const { databaseUrl, brokerUrl, managementUrl, baseUrl } = context.config
  const isSaid = [databaseUrl, brokerUrl, managementUrl, baseUrl].some((address) => address !== undefined)
  if (isSaid || (await readLocalRun(join(cloneDir, '.local'))) !== undefined) return undefined
  return (await composeIsRunning(cloneDir)) ? (await publishedUrls(cloneDir))[0] : undefined
}

function isSameServer(url: URL, other: string): boolean {
  const known = new URL(other)
  return url.origin === known.origin || (isLoopback(url) && isLoopback(known) && url.port === known.port)
}

function isLoopback({ hostname }: URL): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(hostname)
}
