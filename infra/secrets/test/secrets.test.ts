import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ensureSecrets } from '../secrets.ts'

const passwordFiles = [
  'api/database-password',
  'ingest/broker-password',
  'migrate/api-password',
  'migrate/operator-password',
  'migrate/owner-password',
  'migrate/processor-password',
  'operator/broker-password',
  'operator/database-password',
  'postgres/owner-password',
  'processor/broker-password',
  'processor/database-password',
  'rabbitmq/erlang-cookie',
]
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
  test('makes every password and the definitions, and leaves nothing else behind', async () => {
    await ensureSecrets(dir)
    expect(await everyFile()).toEqual([...passwordFiles, definitionsFile].sort())
  })

  test('makes passwords of 32 random bytes in base64url, with no newline at the end', async () => {
    await ensureSecrets(dir)
    for (const password of Object.values(await everyPassword())) expect(password).toMatch(/^[\w-]{43}$/)
  })

  test('gives the same password to both sides of a door, and each door its own', async () => {
    await ensureSecrets(dir)
    const password = await everyPassword()
    expect(password['postgres/owner-password']).toBe(password['migrate/owner-password'])
    expect(password['processor/database-password']).toBe(password['migrate/processor-password'])
    expect(password['api/database-password']).toBe(password['migrate/api-password'])
    expect(password['operator/database-password']).toBe(password['migrate/operator-password'])
    expect(new Set(Object.values(password)).size).toBe(8)
  })

  test('makes folders that only their owner enters, and files that only their owner reads', async () => {
    await ensureSecrets(dir)
    for (const folder of ['.', 'api', 'ingest', 'migrate', 'operator', 'postgres', 'processor', 'rabbitmq']) {
      expect([folder, await mode(folder)]).toEqual([folder, '700'])
    }
    for (const file of passwordFiles.filter((each) => !/^(postgres|rabbitmq)\//.test(each))) {
      expect([file, await mode(file)]).toEqual([file, '600'])
    }
  })

  test('lets the users of the servers read what is theirs, whatever the umask', async () => {
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

  test('uses folders that are there already, as volumes are', async () => {
    await mkdir(join(dir, 'ingest'), { recursive: true, mode: 0o755 })
    await ensureSecrets(dir)
    expect(await read('ingest/broker-password')).toMatch(/^[\w-]{43}$/)
  })
})

describe('the broker definitions', () => {
  test('hold no password in the clear', async () => {
    await ensureSecrets(dir)
    const definitions = await read(definitionsFile)
    for (const password of Object.values(await everyPassword())) expect(definitions).not.toContain(password)
  })

  test('let each user in with the password in its own folder, and with no other', async () => {
    await ensureSecrets(dir)
    for (const name of ['ingest', 'processor', 'operator']) {
      const user = await brokerUser(name)
      expect(accepts(user, await read(`${name}/broker-password`))).toBe(true)
      expect(accepts(user, await read('postgres/owner-password'))).toBe(false)
    }
  })

  test('are made anew at each start, for the topology may have changed', async () => {
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

  test('finishes what a start that was killed left undone', async () => {
    await ensureSecrets(dir)
    const before = await everyPassword()
    await rm(join(dir, 'migrate'), { recursive: true })
    await ensureSecrets(dir)
    expect(await everyPassword()).toEqual(before)
  })

  test('takes an empty file, which a full disk leaves, for a missing one', async () => {
    await ensureSecrets(dir)
    const before = await read('postgres/owner-password')
    await writeFile(join(dir, 'postgres/owner-password'), '')
    await ensureSecrets(dir)
    expect(await read('postgres/owner-password')).toBe(before)
  })

  test('accepts a password that somebody wrote with an editor, newline and all', async () => {
    await ensureSecrets(dir)
    await writeFile(join(dir, 'ingest/broker-password'), 'chosen by hand\n')
    await ensureSecrets(dir)
    expect(await read('ingest/broker-password')).toBe('chosen by hand\n')
    expect(accepts(await brokerUser('ingest'), 'chosen by hand')).toBe(true)
  })

  test('refuses to choose between two files that must agree and do not, and names them', async () => {
    await ensureSecrets(dir)
    await writeFile(join(dir, 'migrate/owner-password'), 'another')
    await expect(ensureSecrets(dir)).rejects.toThrow(/postgres\/owner-password, migrate\/owner-password/)
    expect(await read('migrate/owner-password')).toBe('another')
  })
})
