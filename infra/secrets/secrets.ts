import { randomBytes } from 'node:crypto'
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { brokerDefinitions } from '@clicktally/broker/definitions.ts'

/**
 * Every secret of the system, with the files that hold it: one folder for each consumer, so that a container can be
 * given its own folder and no other. Two files of one secret hold the same password.
 */
const passwordFiles = {
  owner: ['postgres/owner-password', 'migrate/owner-password'],
  processorDatabase: ['migrate/processor-password', 'processor/database-password'],
  apiDatabase: ['migrate/api-password', 'api/database-password'],
  operatorDatabase: ['migrate/operator-password', 'operator/database-password'],
  ingestBroker: ['ingest/broker-password'],
  processorBroker: ['processor/broker-password'],
  operatorBroker: ['operator/broker-password'],
  erlangCookie: ['rabbitmq/erlang-cookie'],
} as const satisfies Record<string, readonly string[]>

const definitionsFile = 'rabbitmq/definitions.json'

/**
 * PostgreSQL's and RabbitMQ's images run as users of their own, not as the user who makes the secrets; and whoever is
 * not root can't give a file away. What these two read is therefore readable by all, in a folder that is not: 0700
 * when it is made here, and in containers a volume that nobody else mounts.
 */
const consumersOfAnotherUser = new Set(['postgres', 'rabbitmq'])

/**
 * Makes every password and the broker's definitions below `dir`, and keeps the passwords that are there: a database
 * and a broker remember theirs, so a password is made once in the life of a system. Safe to call at each start; killed
 * in the middle, the next call finishes the work. Not made for two calls at once on one folder.
 *
 * Throws when two files that must agree do not: which of them the servers know can't be told from here.
 */
export async function ensureSecrets(dir: string): Promise<void> {
  const passwords = {} as Record<keyof typeof passwordFiles, string>
  for (const name of Object.keys(passwordFiles) as (keyof typeof passwordFiles)[]) {
    passwords[name] = await ensurePassword(dir, passwordFiles[name])
  }
  // Written anew each time: the topology in it may have changed with the release. Only its salts change otherwise.
  const definitions = brokerDefinitions({
    ingest: passwords.ingestBroker,
    processor: passwords.processorBroker,
    operator: passwords.operatorBroker,
  })
  await writeSecret(dir, definitionsFile, `${JSON.stringify(definitions, null, 2)}\n`)
}

async function ensurePassword(dir: string, files: readonly string[]): Promise<string> {
  const kept = new Map<string, string>()
  for (const file of files) {
    const password = await readSecret(join(dir, file))
    if (password !== undefined) kept.set(file, password)
  }
  const different = new Set(kept.values())
  if (different.size > 1) {
    throw new Error(
      `These files must hold one and the same password, but differ: ${[...kept.keys()].join(', ')} in ${dir}. ` +
        'Remove the one that the server does not know.',
    )
  }
  // 256 bits: beyond guessing, and the alphabet needs no escaping in a URL, a shell or a configuration file.
  const [password = randomBytes(32).toString('base64url')] = different
  for (const file of files) {
    if (!kept.has(file)) await writeSecret(dir, file, password)
  }
  return password
}

/** An empty file counts as missing: it is what a full disk leaves behind. */
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
 * All or nothing, and on disk before it is used: a server that was initialised with a password which a power cut then
 * took away could never be entered again.
 */
async function writeSecret(dir: string, file: string, content: string): Promise<void> {
  const path = join(dir, file)
  const folder = dirname(path)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const mode = consumersOfAnotherUser.has(dirname(file)) ? 0o644 : 0o600
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const handle = await open(temporary, 'wx', mode)
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await chmod(temporary, mode) // open() gives the mode only as far as the umask lets it
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
