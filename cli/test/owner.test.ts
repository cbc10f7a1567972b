import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { firstKeys, ownerEmail } from '@clicktally/auth/test/auth-under-test.ts'
import { describe, expect, test } from 'vitest'
import { runCli } from './cli-under-test.ts'
import { createOwnerCli } from './owner-under-test.ts'

test('projects are created, changed and listed', async () => {
  const { run, json } = await createOwnerCli()
  expect((await run('projects', 'create', 'shop')).stdout).toBe('The project "shop" was created.\n')
  expect(await json('projects', 'create', 'blog', '--no-derives-visitors')).toMatchObject([
    { name: 'blog', derivesVisitors: false },
  ])
  expect(await json('projects', 'change', 'shop', '--rename', 'store')).toMatchObject([
    { name: 'store', derivesVisitors: true },
  ])
  expect(await json('projects', 'change', 'blog', '--derives-visitors')).toMatchObject([{ derivesVisitors: true }])
  const declare = ['projects', 'change', 'blog', '--dimension']
  expect(await json(...declare, 'plan', '--dimension', 'size')).toMatchObject([{ dimensions: ['plan', 'size'] }])
  expect(await json(...declare, 'size')).toMatchObject([{ dimensions: ['size'], derivesVisitors: true }])
  expect(await json('projects', 'change', 'blog', '--no-dimension')).toMatchObject([{ dimensions: [] }])
  expect(await json('projects', 'create', 'app', '--dimension', 'plan')).toMatchObject([{ dimensions: ['plan'] }])
  expect(await json('projects', 'change', 'app', '--keep-raw-days', '90')).toMatchObject([{ keepRawDays: 90 }])
  expect(await json('projects', 'change', 'app', '--keep-raw-days', 'forever')).toMatchObject([{ keepRawDays: null }])
  expect((await run('projects', 'change', 'app', '--keep-raw-days', '7')).code).toBe(2)
  expect((await json('projects', 'list')).map(({ name }) => name)).toEqual(['default', 'store', 'blog', 'app'])
  expect((await run('projects', 'list')).stdout).toMatch(
    /^name +derives visitors +dimensions +raw clicks +cell +created\ndefault +yes +for ever +home +20/,
  )
})

test('public counters are created, listed and deleted', async () => {
  const { run, json, baseUrl } = await createOwnerCli()
  const create = ['public-counters', 'create', '--target', 'signup-button']
  expect((await run(...create, '--slug', 'signups', '--days', '30', '--label', 'sign-ups')).stdout).toBe(
    `${baseUrl}/c/signups.svg\n`,
  )
  const [random] = await json(...create)
  expect(random).toMatchObject({ target: 'signup-button', days: null, label: 'clicks' })
  expect((await run(...create, '--days', 'many')).code).toBe(2)
  expect((await json('public-counters', 'list')).map(({ slug }) => slug).sort()).toEqual(
    ['signups', random.slug].sort(),
  )
  expect((await run('public-counters', 'list')).stdout).toMatch(/^slug +project +target +days +label\n/)
  expect((await run('public-counters', 'delete', 'signups')).code).toBe(0)
  expect(await run('public-counters', 'delete', 'signups')).toMatchObject({
    code: 1,
    stderr: 'There is no public counter "signups".\n',
  })
})

test('links are created, listed and deleted', async () => {
  const { run, json, baseUrl } = await createOwnerCli()
  const created = await run('links', 'create', 'https://shop.example/spring', '--slug', 'spring', '--target', 'poster')
  expect(created.stdout).toBe(`${baseUrl}/l/spring\n`)
  const [link] = await json('links', 'list')
  expect(link).toMatchObject({ slug: 'spring', target: 'poster', url: 'https://shop.example/spring' })
  expect((await run('links', 'list')).stdout).toMatch(/^slug +project +target +leads to\n/)
  expect((await run('links', 'create', 'javascript:alert(1)')).code).toBe(2)
  expect((await run('links', 'delete', 'spring')).code).toBe(0)
  expect((await run('links', 'delete', 'spring')).stderr).toContain('There is no link "spring".')
})

test('webhooks are created, tested, disabled, enabled and deleted', async () => {
  const { run, json, owner } = await createOwnerCli()
  const url = 'https://hooks.example/clicktally'
  const created = await run('webhooks', 'create', url)
  expect([created.code, created.stdout]).toEqual([0, expect.stringMatching(/^whsec_[\w+/]{43}=\n$/)])
  const [webhook] = await json('hooks', 'list')
  expect(webhook).toMatchObject({ url, project: 'default', state: 'enabled' })
  const rotated = await run('webhooks', 'rotate', webhook.id, '--overlap', '1h')
  expect(rotated.stdout).toMatch(/^whsec_\S{44}\n$/)
  expect(rotated.stdout).not.toBe(created.stdout)
  const event = (await run('webhooks', 'test', webhook.id)).stdout.trim()
  expect(await json('webhooks', 'deliveries', webhook.id)).toMatchObject([{ event, type: 'test', state: 'waiting' }])
  await owner.query(
    `update webhook_deliveries set attempts = 10, last_attempt_at = now(), last_error = 'answered 500', next_attempt_at = null`,
  )
  expect((await run('webhooks', 'list')).stdout).toContain(`${webhook.id}: answered 500\n`)
  expect((await run('webhooks', 'deliveries', webhook.id)).stdout).toMatch(/given up +10 +answered 500\n$/)
  expect((await run('webhooks', 'redeliver', webhook.id)).stdout).toBe('1 event is sent.\n')
  expect((await run('webhooks', 'disable', webhook.id)).stdout).toBe(`The webhook ${webhook.id} is disabled.\n`)
  expect(await run('webhooks', 'redeliver', webhook.id, '--event', event)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('"clicktally webhooks enable" does.'),
  })
  expect((await run('webhooks', 'enable', webhook.id)).stdout).toContain('is enabled. 1 event is sent.')
  expect((await run('webhooks', 'delete', webhook.id)).code).toBe(0)
  expect(await run('webhooks', 'delete', webhook.id)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('"clicktally webhooks list" shows the webhooks.'),
  })
})

test('thresholds are created, listed and deleted', async () => {
  const { run, json } = await createOwnerCli()
  const [reached] = await json('thresholds', 'create', '--reached', '100', '--window', '2h', '--target', 'signup')
  expect(reached).toMatchObject({ type: 'reached', clicks: 100, windowMinutes: 120, target: 'signup' })
  const { stdout: id } = await run('thresholds', 'create', '--silent', '--window', '30m')
  const { stdout } = await run('thresholds', 'list')
  expect(stdout).toMatch(/signup +100 clicks in 2 h +no\n/)
  expect(stdout).toMatch(/\(all\) +no clicks in 30 min +no\n/)
  expect((await run('thresholds', 'delete', id.trim())).code).toBe(0)
  expect(await json('thresholds', 'list')).toHaveLength(1)
  for (const wrong of [
    ['--window', '30m'],
    ['--silent', '--window', '25h'],
    ['--silent', '--reached', '1', '--window', '1h'],
  ]) {
    expect((await run('thresholds', 'create', ...wrong)).code).toBe(2)
  }
})

describe('users', () => {
  test('are invited with a link that sets a password once', async () => {
    const { run, call, signIn, baseUrl } = await createOwnerCli()
    const { code, stdout, stderr } = await run('users', 'invite', 'ann@example.org', '--role', 'auditor')
    expect(code).toBe(0)
    const [, token = ''] = stdout.match(new RegExp(`^${baseUrl}/password#([\\w-]{43})\n$`)) ?? []
    expect(stderr).toContain(`curl -X POST ${baseUrl}/v1/password`)
    const body = { token, password: 'a long enough password' }
    expect((await call('POST', '/v1/password', { body })).status).toBe(204)
    expect(await signIn('ann@example.org', body.password)).toMatch(/^__Host-clicktally=/)
    expect((await call('POST', '/v1/password', { body })).body.code).toBe('token_invalid')
  })

  test('get a new password by email address or id; the link leads to the public address', async () => {
    const { json, run } = await createOwnerCli()
    const [user] = await json('users', 'list')
    expect(user).toMatchObject({ email: ownerEmail, role: 'owner', status: 'active' })
    for (const name of [ownerEmail.toUpperCase(), user.id]) {
      const [made] = await json('users', 'password-link', name, '--public-url', 'https://counts.example/click')
      expect(made.link).toBe(`https://counts.example/click/password#${made.token}`)
      expect(made.user.id).toBe(user.id)
    }
    expect(await run('users', 'password-link', 'nobody@example.org')).toMatchObject({
      code: 1,
      stderr: 'There is no user "nobody@example.org". "clicktally users list" shows the users.\n',
    })
  })

  test('are disabled, enabled and given another role; the last owner stays', async () => {
    const { json, run } = await createOwnerCli()
    await run('users', 'invite', 'ann@example.org', '--role', 'auditor')
    expect(await json('users', 'change', 'ann@example.org', '--disable')).toMatchObject([{ status: 'disabled' }])
    expect(await json('users', 'change', 'ann@example.org', '--enable', '--role', 'owner')).toMatchObject([
      { status: 'invited', role: 'owner' },
    ])
    expect(await run('users', 'change', ownerEmail, '--disable')).toMatchObject({
      code: 1,
      stderr: 'Make another user an owner first.\n',
    })
    expect((await run('users', 'list')).stdout).toMatch(/^email +role +status +created +id\n/)
  })
})

test('audit lists who changed what, newest first, beyond one page of the server', async () => {
  const { run, json, owner } = await createOwnerCli()
  await run('projects', 'create', 'shop')
  const [newest] = await json('audit', '--limit', '1')
  expect(newest).toMatchObject({
    ...{ actor: `key:${firstKeys.owner.id}`, actorName: 'operator', action: 'project.create', subject: 'shop' },
    detail: { derivesVisitors: true },
  })
  const { stdout } = await run('audit', '--limit', '1')
  expect(stdout).toMatch(
    /^at +who +from +action +subject +detail\n20.*Z +operator +project.create +shop +derivesVisitors=true\n$/,
  )
  await owner.query(
    `insert into audit_log (actor, actor_name, action, subject) select 'system', 'system', 'test', n from generate_series(1, 1500) n`,
  )
  const entries = await json('audit', '--limit', '1400')
  expect(entries.map(({ subject }) => subject)).toEqual(Array.from({ length: 1_400 }, (_, n) => String(1_500 - n)))
})

describe('a refusal is a sentence that says what to do', () => {
  test.each([
    ['keys create --role write', 2, 'List the origins of the pages that use this key', 'Use --origin'],
    ['keys create --role write --origin shop.example', 2, '"shop.example" is not an origin', ''],
    ['keys create --role read --project nothing', 1, 'There is no project "nothing".', 'projects list'],
    ['keys create --role read --expires 2020-01-01', 2, '"expiresAt" must be an RFC 3339 time in the future', ''],
    ['keys rotate nothing', 1, 'There is no key with the id "nothing".', 'keys list --all'],
    ['keys revoke nothing --yes', 1, 'There is no key with the id "nothing".', 'keys list'],
    ['projects create Shop', 2, '"name" must match pattern', ''],
    ['projects create default', 1, 'There is a project "default" already.', ''],
    [`users invite ${ownerEmail} --role owner`, 1, 'with this email address already', 'users password-link'],
    ['users invite ann@example.org --role owner --public-url shop', 2, 'https://counts.example', ''],
  ])('%s', async (command, code, sentence, advice) => {
    const { run } = await createOwnerCli()
    const ended = await run(...command.split(' '))
    expect(ended).toMatchObject({ code, stdout: '' })
    expect(ended.stderr).toContain(sentence)
    expect(ended.stderr).toContain(advice)
  })

  test('a key that may not, is unknown or mistyped', async () => {
    const { baseUrl } = await createOwnerCli()
    const withKey = (key: string) => runCli(['keys', 'list'], { CLICKTALLY_URL: baseUrl, CLICKTALLY_KEY: key })
    for (const [key, sentence] of [
      [firstKeys.read.text, 'The role "read" does not have the right "audit"'],
      [`${firstKeys.read.text}x`, 'The text is not a key'],
    ] as const) {
      const { code, stderr } = await withKey(key)
      expect([code, stderr]).toEqual([1, expect.stringContaining(sentence)])
      expect(stderr).toContain('Commands use the key in CLICKTALLY_KEY')
      expect(stderr).not.toContain(key)
    }
  })

  test('no server, or one that is not Clicktally', async () => {
    const other = createServer((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>'))
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as AddressInfo
    const at = (url: string) =>
      runCli(['projects', 'list'], { CLICKTALLY_URL: url, CLICKTALLY_KEY: firstKeys.owner.text })
    expect(await at(`http://127.0.0.1:${port}`)).toMatchObject({
      code: 1,
      stderr: `http://127.0.0.1:${port} does not answer as Clicktally: GET /v1/projects: 200\n`,
    })
    await new Promise((resolve) => other.close(resolve))
    expect(await at(`http://127.0.0.1:${port}`)).toMatchObject({
      code: 1,
      stderr: `http://127.0.0.1:${port} cannot be reached: connection refused. Is Clicktally running there?\n`,
    })
  })
})
