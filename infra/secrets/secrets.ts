import { randomBytes } from 'node:crypto'
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { brokerDefinitions } from '@clicktally/broker/definitions.ts'
import type { FirstAccess } from '@clicktally/keys/first-access.ts'
import { firstOwnerEmail } from '@clicktally/keys/first-keys.ts'
import { hashKey, makeKey, parseKey } from '@clicktally/keys/key-text.ts'
import { hashPassword } from '@clicktally/keys/password.ts'
import type { KeyRole } from '@clicktally/keys/roles.ts'
import { brokerPasswordId, secretsOf } from '@clicktally/system/accounts.ts'
import { partEntries } from '@clicktally/system/parts.ts'

/**
 * The files of every secret, by the secret's id: one folder for each account, so that a container can be given its own folder
 * and no other. All files of one secret hold the same password.
 */
const secretFiles = new Map<string, string[]>()
for (const [name, { account }] of partEntries) {
  for (const { id, file } of secretsOf(name)) {
    secretFiles.set(id, [...(secretFiles.get(id) ?? []), `${account}/${file}`])
  }
}

/** The folders below the folder of all secrets. The Dockerfile creates them with the right owner. */
export const secretFolders: readonly string[] = partEntries.flatMap(([, { account }]) => account ?? []).sort()

const definitionsFile = 'rabbitmq/definitions.json'
const firstAccessId = 'first access'
/** The pages that may use the first write key: those of a local run, without and with TLS, until an owner lists others. */
const firstOrigins = ['localhost', '127.0.0.1'].flatMap((host) => [`http://${host}:8080`, `https://${host}:8443`])

/**
 * The images of PostgreSQL and RabbitMQ run as other users than the one that creates the secrets, and only root can change the
 * owner of a file. The files of these two are therefore readable by everyone, in a folder that is not: its mode is 0700, and
 * in containers it is a volume that no other part mounts.
 */
const readByOtherUsers = new Set(['postgres', 'rabbitmq'])

/**
 * Creates every missing password and the broker's definitions below `dir`. Existing passwords are kept, because the servers
 * store them: a password is created once in the life of a system. Safe to call at each start, and to repeat after a crash, but
 * not twice at the same time on one folder.
 *
 * @throws when the files of one secret differ: only the servers know which one is right.
 */
export async function ensureSecrets(dir: string): Promise<void> {
  const passwords = new Map<string, string>()
  for (const [id, files] of secretFiles) {
    if (id !== firstAccessId) passwords.set(id, await ensurePassword(dir, files, () => makeSecret(id)))
  }
  // Written at each call: a release may have changed the topology. Otherwise only the salts change.
  const definitions = brokerDefinitions((user) => passwords.get(brokerPasswordId(user)) as string)
  await writeSecret(dir, definitionsFile, `${JSON.stringify(definitions, null, 2)}\n`)
  const firstAccess = JSON.stringify(await describeFirstAccess(passwords))
  for (const file of secretFiles.get(firstAccessId) ?? []) await writeSecret(dir, file, firstAccess)
}

/** A key for the secrets `key <role>`, else a password: 256 bits, in an alphabet that needs no escaping anywhere. */
function makeSecret(id: string): string {
  const [, role] = /^key (\w+)$/.exec(id) ?? []
  return role === undefined ? randomBytes(32).toString('base64url') : makeKey(role as KeyRole).text
}

/** The first keys and the first owner as services/auth installs them: hashes only. */
async function describeFirstAccess(secrets: ReadonlyMap<string, string>): Promise<FirstAccess> {
  const keyOf = (role: KeyRole) => {
    const text = secrets.get(`key ${role}`) ?? ''
    const id = parseKey(text)?.id
    if (id === undefined)
      throw new Error(`The file of the ${role} key does not hold a key. Remove it to create a new one.`)
    return { id, hash: hashKey(text) }
  }
  return {
    operator: keyOf('owner'),
    keys: (['write', 'secret', 'read'] as const).map((role) => ({
      ...{ ...keyOf(role), role, origins: role === 'write' ? firstOrigins : [] },
    })),
    owner: {
      email: firstOwnerEmail,
      passwordHash: await hashPassword(secrets.get('password of the first owner') ?? ''),
    },
  }
}

async function ensurePassword(dir: string, files: readonly string[], make: () => string): Promise<string> {
  const kept = new Map<string, string>()
  for (const file of files) {
    const password = await readSecret(join(dir, file))
    if (password !== undefined) kept.set(file, password)
  }
  const different = new Set(kept.values())
  if (different.size > 1) {
    throw new Error(
      `These files must hold the same password, but differ: ${[...kept.keys()].join(', ')} in ${dir}. ` +
        'Remove the one that the server does not accept.',
    )
  }
  const [password = make()] = different
  for (const file of files) {
    if (!kept.has(file)) await writeSecret(dir, file, password)
  }
  return password
}

/** An empty file counts as missing: a full disk leaves one behind. */
async function readSecret(path: string): Promise<string | undefined> {
  try {
    const password = (await readFile(path, 'utf8')).trim()
    return password === '' ? undefined : password
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Atomic, and synced to disk before the password is used: nobody could log in to a server that was initialised with a password
 * which was then lost in a power cut.
 */
async function writeSecret(dir: string, file: string, content: string): Promise<void> {
  const path = join(dir, file)
  const folder = dirname(path)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const mode = readByOtherUsers.has(dirname(file)) ? 0o644 : 0o600
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const handle = await open(temporary, 'wx', mode)
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await chmod(temporary, mode) // the umask limits the mode that open() sets
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  const directory = await open(folder)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
