import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ensureSecrets, secretFolders } from '../secrets.ts'

/** Runs kubectl in the namespace of the installation. @returns what it prints @throws if it fails */
export type Kubectl = (args: readonly string[], input?: string) => string

interface Secret {
  readonly metadata: { readonly name: string }
  readonly data?: Readonly<Record<string, string>>
}

const nameOf = (account: string) => `clicktally-${account}`
/** For CloudNativePG, which makes the owner of the database from it. */
const owner = { name: 'clicktally-database-owner', file: 'postgres/owner-password' }

/**
 * Makes the Secrets of the chart, one for each account. What the namespace has already is kept, as ensureSecrets() does in `dir`: accounts
 * and files that a release has added get passwords, and the definitions of the broker are written anew.
 *
 * @param dir an empty folder, which holds all secrets afterwards
 * @returns the names of the Secrets that were not there before
 * @throws if kubectl fails. Nothing is changed if it cannot tell what is there: new passwords would lock the services out of their servers.
 */
export async function ensureAccountSecrets(dir: string, kubectl: Kubectl): Promise<readonly string[]> {
  const { items } = JSON.parse(kubectl(['get', 'secrets', '--output', 'json'])) as { items: readonly Secret[] }
  const known = new Set(items.map(({ metadata }) => metadata.name))
  for (const account of secretFolders) {
    const { data = {} } = items.find(({ metadata }) => metadata.name === nameOf(account)) ?? {}
    await mkdir(join(dir, account), { recursive: true, mode: 0o700 })
    for (const [file, content] of Object.entries(data)) {
      await writeFile(join(dir, account, file), Buffer.from(content, 'base64'), { mode: 0o600 })
    }
  }
  await ensureSecrets(dir)
  const secrets = await Promise.all(
    secretFolders.map(async (account) => secret(nameOf(account), 'Opaque', await filesIn(join(dir, account)))),
  )
  const password = (await readFile(join(dir, owner.file))).toString('base64')
  const username = Buffer.from('clicktally').toString('base64')
  secrets.push(secret(owner.name, 'kubernetes.io/basic-auth', { username, password }))
  // By standard input, because arguments can be seen by every user of the machine; by the server, because a client would keep a copy of all
  // passwords in an annotation.
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: secrets })
  kubectl(['apply', '--server-side', '--force-conflicts', '--filename', '-'], list)
  return secrets.map(({ metadata }) => metadata.name).filter((name) => !known.has(name))
}

const secret = (name: string, type: string, data: Readonly<Record<string, string>>) => ({
  ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name }, type, data },
})

async function filesIn(folder: string): Promise<Record<string, string>> {
  const files = await readdir(folder)
  const entries = files.map(async (file) => [file, (await readFile(join(folder, file))).toString('base64')] as const)
  return Object.fromEntries(await Promise.all(entries))
}
