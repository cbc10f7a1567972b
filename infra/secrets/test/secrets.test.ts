import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readFirstAccess } from '@clicktally/keys/first-access.ts'
import { hashKey, parseKey } from '@clicktally/keys/key-text.ts'
import { isPassword } from '@clicktally/keys/password.ts'
import { brokerUsers, loginRoles, secretsOf } from '@clicktally/system/accounts.ts'
import { partEntries } from '@clicktally/system/parts.ts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ensureSecrets, secretFolders } from '../secrets.ts'

/** The secrets of the table of parts that are passwords. Two files of one secret have the same id. */
const passwords = partEntries.flatMap(([name, { account }]) =>
  secretsOf(name)
    .filter(({ id }) => id !== 'first access' && !id.startsWith('key '))
    .map(({ id, file }) => ({ id, file: `${account}/${file}` })),
)
const passwordFiles = passwords.map(({ file }) => file)
const keyFiles = {
  owner: 'operator/owner-key',
  read: 'operator/first-read-key',
  secret: 'operator/first-secret-key',
  write: 'operator/first-write-key',
}
const firstAccessFile = 'auth/first-access'
const definitionsFile = 'rabbitmq/definitions.json'

let scratch: string
let dir: string

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'clicktally-secrets-'))
  dir = join(scratch, 'secrets') // not there yet, as on a first start
})

afterEach(() => rm(scratch, { recursive: true, force: true }))

const read = (file: string) => readFile(join(dir, file), 'utf8')

async function everyFile(): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    .sort()
}

async function mode(file: string): Promise<string> {
  return ((await stat(join(dir, file))).mode & 0o777).toString(8)
}

async function everyPassword(): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const file of passwordFiles) found[file] = await read(file)
  return found
}

interface BrokerUser {
  name: string
  password_hash: string
}

async function brokerUser(name: string): Promise<BrokerUser> {
  const { users } = JSON.parse(await read(definitionsFile)) as { users: BrokerUser[] }
  const user = users.find((each) => each.name === name)
  if (user === undefined) throw new Error(`no user ${name} in ${definitionsFile}`)
  return user
}

/** RabbitMQ's rule: base64 of a salt of four bytes and the SHA-256 of salt and password. */
function accepts(user: BrokerUser, password: string): boolean {
  const bytes = Buffer.from(user.password_hash, 'base64')
  return createHash('sha256').update(bytes.subarray(0, 4)).update(password).digest().equals(bytes.subarray(4))
}

describe('the first start', () => {
  test('creates every password and the definitions, and nothing else', async () => {
    await ensureSecrets(dir)
    expect(await everyFile()).toEqual(
      [...passwordFiles, ...Object.values(keyFiles), firstAccessFile, definitionsFile].sort(),
    )
  })

  test('creates passwords of 32 random bytes in base64url, without a newline at the end', async () => {
    await ensureSecrets(dir)
    for (const password of Object.values(await everyPassword())) expect(password).toMatch(/^[\w-]{43}$/)
  })

  test('gives both sides of a login the same password, and each login its own', async () => {
    await ensureSecrets(dir)
    const password = await everyPassword()
    expect(password['postgres/owner-password']).toBe(password['migrate/owner-password'])
    for (const { account } of loginRoles) {
      expect(password[`${account}/database-password`]).toBe(password[`migrate/${account}-password`])
    }
    expect(new Set(Object.values(password)).size).toBe(new Set(passwords.map(({ id }) => id)).size)
  })

  test('creates folders that only their owner can enter, and files that only their owner can read', async () => {
    await ensureSecrets(dir)
    for (const folder of ['.', ...secretFolders]) {
      expect([folder, await mode(folder)]).toEqual([folder, '700'])
    }
    for (const file of passwordFiles.filter((each) => !/^(postgres|rabbitmq)\//.test(each))) {
      expect([file, await mode(file)]).toEqual([file, '600'])
    }
  })

  test('lets the users of the servers read their files, whatever the umask', async () => {
    const umask = process.umask(0o077)
    try {
      await ensureSecrets(dir)
    } finally {
      process.umask(umask)
    }
    expect(await mode('postgres/owner-password')).toBe('644')
    expect(await mode(definitionsFile)).toBe('644')
    expect(await mode('rabbitmq/erlang-cookie')).toBe('644')
  })

  test('uses existing folders, such as volumes', async () => {
    await mkdir(join(dir, 'ingest'), { recursive: true, mode: 0o755 })
    await ensureSecrets(dir)
    expect(await read('ingest/broker-password')).toMatch(/^[\w-]{43}$/)
  })
})

describe('the first keys', () => {
  test('are keys of their roles; auth gets only hashes of them and of the password', async () => {
    await ensureSecrets(dir)
    const text = await read(firstAccessFile)
    const first = readFirstAccess(text)
    for (const [role, file] of Object.entries(keyFiles)) {
      const key = await read(file)
      expect(parseKey(key)?.role).toBe(role)
      expect(text).not.toContain(key)
      const found = role === 'owner' ? first.operator : first.keys.find((each) => each.role === role)
      expect(found).toMatchObject({ id: parseKey(key)?.id, hash: hashKey(key) })
    }
    const password = await read('operator/first-owner-password')
    expect(text).not.toContain(password)
    expect(await isPassword(first.owner.passwordHash, password)).toBe(true)
    expect(await isPassword(first.owner.passwordHash, `${password}x`)).toBe(false)
    expect(await mode(firstAccessFile)).toBe('600')
  })

  test('stay the same at the next start, and a file that holds no key is reported', async () => {
    await ensureSecrets(dir)
    const before = await read(keyFiles.owner)
    await ensureSecrets(dir)
    expect(await read(keyFiles.owner)).toBe(before)
    await writeFile(join(dir, keyFiles.owner), 'changed by hand')
    await expect(ensureSecrets(dir)).rejects.toThrow(/owner key/)
  })
})

describe('the broker definitions', () => {
  test('hold no password in plain text', async () => {
    await ensureSecrets(dir)
    const definitions = await read(definitionsFile)
    for (const password of Object.values(await everyPassword())) expect(definitions).not.toContain(password)
  })

  test('accept for each user only the password in its own folder', async () => {
    await ensureSecrets(dir)
    for (const { user: name } of brokerUsers) {
      const user = await brokerUser(name)
      expect(accepts(user, await read(`${name}/broker-password`))).toBe(true)
      expect(accepts(user, await read('postgres/owner-password'))).toBe(false)
    }
  })

  test('are written again at each start, because the topology may have changed', async () => {
    await ensureSecrets(dir)
    await writeFile(join(dir, definitionsFile), '{}')
    await ensureSecrets(dir)
    expect(accepts(await brokerUser('ingest'), await read('ingest/broker-password'))).toBe(true)
  })
})

describe('a later start', () => {
  test('keeps every password', async () => {
    await ensureSecrets(dir)
    const before = await everyPassword()
    await ensureSecrets(dir)
    expect(await everyPassword()).toEqual(before)
  })

  test('replaces a secret whose files were all removed, on both sides, and no other', async () => {
    await ensureSecrets(dir)
    const before = await everyPassword()
    const ownerKey = await read(keyFiles.owner)
    const { id } = passwords.find(({ file }) => file === 'ingest/broker-password') ?? {}
    const removed = passwords.filter((each) => each.id === id).map(({ file }) => file)
    for (const file of [...removed, keyFiles.owner]) await rm(join(dir, file))
    await ensureSecrets(dir)
    const after = await everyPassword()
    expect(passwordFiles.filter((file) => after[file] !== before[file])).toEqual(removed)
    expect(accepts(await brokerUser('ingest'), after['ingest/broker-password'] ?? '')).toBe(true)
    expect(await read(keyFiles.owner)).not.toBe(ownerKey)
    expect(readFirstAccess(await read(firstAccessFile)).operator.hash).toBe(hashKey(await read(keyFiles.owner)))
  })

  test('finishes the work of a start that was killed', async () => {
    await ensureSecrets(dir)
    const before = await everyPassword()
    await rm(join(dir, 'migrate'), { recursive: true })
    await ensureSecrets(dir)
    expect(await everyPassword()).toEqual(before)
  })

  test('treats an empty file, which a full disk leaves behind, as missing', async () => {
    await ensureSecrets(dir)
    const before = await read('postgres/owner-password')
    await writeFile(join(dir, 'postgres/owner-password'), '')
    await ensureSecrets(dir)
    expect(await read('postgres/owner-password')).toBe(before)
  })

  test('accepts a password written with an editor, with a newline at the end', async () => {
    await ensureSecrets(dir)
    await writeFile(join(dir, 'ingest/broker-password'), 'chosen by hand\n')
    await ensureSecrets(dir)
    expect(await read('ingest/broker-password')).toBe('chosen by hand\n')
    expect(accepts(await brokerUser('ingest'), 'chosen by hand')).toBe(true)
  })

  test('refuses to choose between two files that must be equal and are not, and names them', async () => {
    await ensureSecrets(dir)
    await writeFile(join(dir, 'migrate/owner-password'), 'another')
    await expect(ensureSecrets(dir)).rejects.toThrow(/postgres\/owner-password, migrate\/owner-password/)
    expect(await read('migrate/owner-password')).toBe('another')
  })
})
