import { spawnSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ensureAccountSecrets, type Kubectl } from '../kubernetes/account-secrets.ts'
import { secretFolders } from '../secrets.ts'

interface Secret {
  readonly metadata: { readonly name: string }
  readonly type: string
  readonly data: Record<string, string>
}

let scratch: string
/** What the namespace has. */
let cluster: Map<string, Secret>

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'clicktally-kubernetes-'))
  cluster = new Map()
})

afterEach(() => rm(scratch, { recursive: true, force: true }))

/** As a server: what is applied replaces the fields of the same name. */
const kubectl: Kubectl = ([verb], input = '') => {
  if (verb === 'get') return JSON.stringify({ items: [...cluster.values()] })
  for (const secret of (JSON.parse(input) as { items: Secret[] }).items) cluster.set(secret.metadata.name, secret)
  return ''
}

let runs = 0
async function ensure(by: Kubectl = kubectl): Promise<readonly string[]> {
  runs += 1
  return await ensureAccountSecrets(join(scratch, `run-${runs}`), by)
}

const dataOf = (name: string) => cluster.get(`clicktally-${name}`)?.data ?? {}
const text = (name: string, file: string) => Buffer.from(dataOf(name)[file] ?? '', 'base64').toString()

describe('the Secrets of the chart', () => {
  test('are one for each account, and one for the operator of the database', async () => {
    const made = await ensure()
    const names = [...secretFolders.map((account) => `clicktally-${account}`), 'clicktally-database-owner']
    expect([...made].sort()).toEqual(names.sort())
    expect([...cluster.keys()].sort()).toEqual(names)
    expect(cluster.get('clicktally-database-owner')?.type).toBe('kubernetes.io/basic-auth')
    expect(text('database-owner', 'username')).toBe('clicktally')
    expect(text('database-owner', 'password')).toBe(text('migrate', 'owner-password'))
    expect(text('operator', 'owner-key')).toMatch(/^ct_/)
  })

  test('keep every password and key, and get new definitions', async () => {
    await ensure()
    const before = structuredClone(cluster)
    expect(await ensure()).toEqual([])
    for (const [name, { data }] of before) {
      for (const [file, content] of Object.entries(data)) {
        // Their hashes have new salts.
        if (['definitions.json', 'first-access'].includes(file)) continue
        expect([name, file, cluster.get(name)?.data[file]]).toEqual([name, file, content])
      }
    }
    expect(text('rabbitmq', 'definitions.json')).not.toBe('')
    expect(dataOf('rabbitmq')['definitions.json']).not.toBe(before.get('clicktally-rabbitmq')?.data['definitions.json'])
  })

  test('that a release adds are made, with the passwords that the servers know already', async () => {
    await ensure()
    const notifier = { ...dataOf('notifier') }
    cluster.delete('clicktally-notifier')
    const { 'broker-password': password, ...others } = dataOf('processor')
    expect(password).toBeDefined()
    cluster.set('clicktally-processor', { ...(cluster.get('clicktally-processor') as Secret), data: others })
    expect(await ensure()).toEqual(['clicktally-notifier'])
    // migrate has it too.
    expect(dataOf('notifier')).toEqual(notifier)
    // Nobody else: it is new, and in the definitions that are imported then.
    expect(dataOf('processor')['broker-password']).toMatch(/./)
  })

  test('of others are left alone', async () => {
    const cookie = { metadata: { name: 'clicktally-rabbitmq-erlang-cookie' }, type: 'Opaque', data: { a: 'YQ==' } }
    cluster.set(cookie.metadata.name, cookie)
    await ensure()
    expect(cluster.get(cookie.metadata.name)).toBe(cookie)
  })

  test('are not made if nobody can tell which there are', async () => {
    const applied: string[] = []
    const failing: Kubectl = ([verb = ''], input) => {
      if (verb === 'get') throw new Error('kubectl get failed')
      applied.push(verb)
      return kubectl([verb], input)
    }
    await expect(ensure(failing)).rejects.toThrow('kubectl get failed')
    expect(applied).toEqual([])
  })
})

test('the program leaves no file, and no password in arguments', async () => {
  const bin = join(scratch, 'bin')
  const temporary = join(scratch, 'tmp')
  for (const folder of [bin, temporary]) await mkdir(folder)
  const program = '#!/bin/sh\necho "$@" >> "$LOG"\n[ "$3" = get ] && echo \'{"items":[]}\' || cat > "$LOG.applied"\n'
  await writeFile(join(bin, 'kubectl'), program)
  await chmod(join(bin, 'kubectl'), 0o755)
  const log = join(scratch, 'log')
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, TMPDIR: temporary, LOG: log }
  const main = join(import.meta.dirname, '../kubernetes/main.ts')
  const { status, stdout } = spawnSync(process.execPath, [main, 'counts'], { env, encoding: 'utf8' })
  expect([status, stdout]).toEqual([0, expect.stringMatching(/^Made .*clicktally-rabbitmq/)])
  expect(await readFile(log, 'utf8')).toBe(
    '--namespace counts get secrets --output json\n' +
      '--namespace counts apply --server-side --force-conflicts --filename -\n',
  )
  expect(JSON.parse(await readFile(`${log}.applied`, 'utf8')).items).toHaveLength(secretFolders.length + 1)
  expect(await readdir(temporary)).toEqual([])
})
