import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { firstKeys } from '@clicktally/auth/test/auth-under-test.ts'
import { parseKey } from '@clicktally/keys/key-text.ts'
import { ensureSecrets } from '@clicktally/secrets/secrets.ts'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { CliContext } from '../cli-context.ts'
import { findFirstKeys } from '../system/first-keys.ts'
import { runCli } from './cli-under-test.ts'
import { createOwnerCli } from './owner-under-test.ts'

describe('keys create', () => {
  test('prints the text of the key alone on standard output, and it works', async () => {
    const { run, call } = await createOwnerCli()
    const { code, stdout, stderr } = await run('keys', 'create', '--role', 'owner', '--label', 'of the night')
    expect(code).toBe(0)
    const key = stdout.trimEnd()
    expect(parseKey(key)?.role).toBe('owner')
    expect(stderr).toContain(`The owner key ${parseKey(key)?.id} of the project "default"`)
    expect(stderr).not.toContain(key)
    expect((await call('GET', '/v1/keys', { key })).status).toBe(200)
  })

  test('with --json prints the key with its text, as it was asked for', async () => {
    const { json } = await createOwnerCli()
    await json('projects', 'create', 'shop')
    const origins = ['--origin', 'https://shop.example', '--origin', 'https://www.shop.example']
    const more = ['--label', 'front end', '--clicks-per-second', '50', '--expires', '2099-01-01']
    const [made] = await json('keys', 'create', '--role', 'write', '--project', 'shop', ...origins, ...more)
    expect(parseKey(made.text)).toEqual({ id: made.key.id, role: 'write' })
    expect(made.key).toMatchObject({
      ...{ project: 'shop', role: 'write', label: 'front end', clicksPerSecond: 50 },
      ...{ origins: ['https://shop.example', 'https://www.shop.example'], expiresAt: '2099-01-01T00:00:00.000Z' },
    })
    expect(await json('keys', 'list', '--project', 'shop')).toEqual([made.key])
  })
})

test('keys list shows valid keys in a table, and with --all those that ended', async () => {
  const { run } = await createOwnerCli()
  const id =
    parseKey((await run('keys', 'create', '--role', 'read', '--label', '\u001b[2J')).stdout.trimEnd())?.id ?? ''
  const { stdout } = await run('keys', 'list')
  const [titles, ...rows] = stdout.trimEnd().split('\n')
  expect(titles).toMatch(/^id +role +project +label +origins +clicks\/s +state$/)
  expect(rows.map((row) => row.split(/ +/)[1]).sort()).toEqual(['owner', 'read', 'read', 'secret', 'write'])
  expect(stdout).toContain(firstKeys.owner.id)
  expect(stdout).not.toContain('\u001b')
  expect((await run('keys', 'revoke', id, '--yes')).code).toBe(0)
  expect((await run('keys', 'list')).stdout).not.toContain(id)
  expect((await run('keys', 'list', '--all')).stdout).toMatch(new RegExp(`^${id} .* revoked 20`, 'm'))
})

describe('keys change', () => {
  test('changes what is given and nothing else; none and never remove', async () => {
    const { json } = await createOwnerCli()
    const limits = ['--clicks-per-second', '5', '--expires', '90d', '--origin', 'https://a.example', '--label', 'one']
    const [{ key }] = await json('keys', 'create', '--role', 'secret', ...limits)
    expect(Date.parse(key.expiresAt) - Date.now()).toBeCloseTo(90 * 86_400_000, -5)
    const [labelled] = await json('keys', 'change', key.id, '--label', 'two')
    expect(labelled).toEqual({ ...key, label: 'two' })
    const removing = ['--clicks-per-second', 'none', '--expires', 'never', '--no-origin']
    const [freed] = await json('keys', 'change', key.id, ...removing)
    expect(freed).toEqual({ ...key, label: 'two', clicksPerSecond: null, expiresAt: null, origins: [] })
  })

  test('without a change is wrong usage', async () => {
    const { run } = await createOwnerCli()
    expect(await run('keys', 'change', firstKeys.read.id)).toMatchObject({ code: 2, stdout: '' })
  })
})

test('keys rotate prints the new key; the old one works for the overlap', async () => {
  const { run, json } = await createOwnerCli()
  const old = (await run('keys', 'create', '--role', 'read')).stdout.trimEnd()
  const id = parseKey(old)?.id ?? ''
  const { code, stdout, stderr } = await run('keys', 'rotate', id, '--overlap', '2h')
  expect(code).toBe(0)
  expect(parseKey(stdout.trimEnd())).toMatchObject({ role: 'read' })
  expect(stderr).toMatch(new RegExp(`The old key ${id} works until 20.*Z`))
  const listed = (await json('keys', 'list')).find((key) => key.id === id)
  expect(Date.parse(listed.expiresAt) - Date.now()).toBeCloseTo(7_200_000, -5)
})

describe('keys revoke', () => {
  test('without a terminal asks for --yes, and revokes nothing', async () => {
    const { run, json } = await createOwnerCli()
    const { code, stderr } = await run('keys', 'revoke', firstKeys.read.id)
    expect([code, stderr]).toEqual([2, expect.stringContaining('use --yes')])
    expect((await json('keys', 'list')).map(({ id }) => id)).toContain(firstKeys.read.id)
  })

  test('with --json prints the revoked key', async () => {
    const { json } = await createOwnerCli()
    const [key] = await json('keys', 'revoke', firstKeys.read.id, '--yes')
    expect(key).toMatchObject({ id: firstKeys.read.id, revokedAt: expect.stringMatching(/^20/) })
  })

  test("refuses the operator's key, and says how it is replaced", async () => {
    const { run } = await createOwnerCli()
    const { code, stderr } = await run('keys', 'revoke', firstKeys.owner.id, '--yes')
    expect([code, stderr]).toEqual([1, expect.stringContaining('remove that file and restart the system')])
  })
})

describe('keys show-first', () => {
  const context = {} as CliContext

  async function makeFolder(): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), 'clicktally-first-'))
    onTestFinished(() => rm(dir, { recursive: true, force: true }))
    return dir
  }

  test("reads the operator's files of a stopped local system", async () => {
    const dir = await makeFolder()
    await mkdir(join(dir, '.local'))
    await ensureSecrets(join(dir, '.local/secrets'))
    const first = await findFirstKeys(context, dir, join(dir, 'none'))
    for (const role of ['write', 'secret', 'read', 'owner'] as const) expect(parseKey(first[role])?.role).toBe(role)
    expect([first.email, first.password.length]).toEqual(['owner@localhost', 43])
  })

  test('reads the mounted secrets in the container', async () => {
    const dir = await makeFolder()
    await ensureSecrets(dir)
    const first = await findFirstKeys(context, join(dir, 'none'), join(dir, 'operator'))
    expect(parseKey(first.read)?.role).toBe('read')
  })

  test('says in a sentence that there are none', async () => {
    const dir = await makeFolder()
    await expect(findFirstKeys(context, dir, dir)).rejects.toMatchObject({
      name: 'CliError',
      message: expect.stringContaining('The first keys cannot be read'),
    })
  })
})

test.each([
  ['without a role', ['keys', 'create'], "required option '--role <role>' not specified"],
  ['an unknown role', ['keys', 'create', '--role', 'boss'], 'Allowed choices are write, secret, read, auditor, owner.'],
  ['a limit of zero', ['keys', 'create', '--role', 'read', '--clicks-per-second', '0'], 'Expected a whole number'],
  ['an expiry that is no time', ['keys', 'create', '--role', 'read', '--expires', 'soon'], '2h, 90d from now'],
  ['an overlap that is none', ['keys', 'rotate', 'x', '--overlap', 'a day'], 'Expected a duration such as 90s'],
])('%s is wrong usage', async (_, args, sentence) => {
  expect(await runCli(args, {})).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(sentence) })
})
