import { hashKey, parseKey } from '@clicktally/keys/key-text.ts'
import { describe, expect, test } from 'vitest'
import { installFirstAccess } from '../installation/first-access.ts'
import { createAuth, firstAccess, firstKeys } from './auth-under-test.ts'

describe('a key', () => {
  test('is shown once and stored as a hash', async () => {
    const auth = await createAuth()
    const made = await auth.asOwner('POST', '/v1/keys', {
      ...{
        role: 'write',
        label: 'shop',
        origins: ['https://Shop.Example/', 'https://shop.example'],
        clicksPerSecond: 50,
      },
      expiresAt: '2099-01-01T00:00:00Z',
    })
    expect(made.status).toBe(201)
    expect(made.headers['cache-control']).toBe('no-store')
    const { key, text } = made.body
    expect(parseKey(text)).toEqual({ id: key.id, role: 'write' })
    expect(key).toMatchObject({
      ...{ project: 'default', role: 'write', label: 'shop', origins: ['https://shop.example'], clicksPerSecond: 50 },
      ...{ expiresAt: '2099-01-01T00:00:00.000Z', revokedAt: null, isOperator: false },
    })
    const listed = await auth.asOwner('GET', '/v1/keys')
    expect(listed.body.keys).toContainEqual(key)
    expect(JSON.stringify(listed.body)).not.toContain(text)
    const { rows } = await auth.owner.query(`select * from keys where id = $1`, [key.id])
    expect(JSON.stringify(rows)).not.toContain(text)
    expect(rows[0].hash.toString('base64url')).toBe(hashKey(text))
    expect(JSON.stringify(await auth.audit())).not.toContain(text)
    expect(auth.onKeysChanged).toHaveBeenCalledOnce()
  })

  test.each([
    [{ role: 'write' }, 'origins_required', 'origins'],
    [{ role: 'write', origins: ['shop.example'] }, 'origin_invalid', 'origins'],
    [{ role: 'write', origins: ['https://shop.example/path'] }, 'origin_invalid', 'origins'],
    [{ role: 'write', origins: ['https://*.example'] }, 'origin_invalid', 'origins'],
    [{ role: 'write', origins: ['file:///tmp'] }, 'origin_invalid', 'origins'],
    [{ role: 'read', expiresAt: '2001-01-01T00:00:00Z' }, 'expiry_invalid', 'expiresAt'],
    [{ role: 'read', expiresAt: 'tomorrow' }, 'expiry_invalid', 'expiresAt'],
    [{ role: 'admin' }, 'body_invalid', 'role'],
    [{ role: 'read', hash: 'x' }, 'body_invalid', 'hash'],
    [{}, 'body_invalid', 'role'],
  ])('that is asked for by %j is refused', async (body, code, field) => {
    const auth = await createAuth()
    const { status, body: problem } = await auth.asOwner('POST', '/v1/keys', body)
    expect([status, problem.code, problem.field]).toEqual([422, code, field])
    expect(auth.onKeysChanged).not.toHaveBeenCalled()
  })

  test('of an unknown project is refused', async () => {
    const auth = await createAuth()
    const { status, body } = await auth.asOwner('POST', '/v1/keys', { role: 'read', project: 'nobody' })
    expect([status, body.code]).toEqual([404, 'project_unknown'])
  })

  test('is changed, and a limit and an expiry are removed again', async () => {
    const auth = await createAuth()
    const { body: made } = await auth.asOwner('POST', '/v1/keys', { role: 'read', clicksPerSecond: 5 })
    const url = `/v1/keys/${made.key.id}`
    const changed = await auth.asOwner('PATCH', url, {
      label: 'new',
      origins: ['https://a.example'],
      expiresAt: '2099-01-01T00:00:00Z',
    })
    expect(changed.body).toMatchObject({ label: 'new', origins: ['https://a.example'], clicksPerSecond: 5 })
    const cleared = await auth.asOwner('PATCH', url, { clicksPerSecond: null, expiresAt: null })
    expect(cleared.body).toMatchObject({ label: 'new', clicksPerSecond: null, expiresAt: null })
    expect((await auth.asOwner('PATCH', url, {})).body).toEqual(cleared.body)
  })

  test('is rotated: both work until the overlap is over', async () => {
    const auth = await createAuth()
    const { body: old } = await auth.asOwner('POST', '/v1/keys', { role: 'auditor', label: 'reports' })
    const { status, body: next } = await auth.asOwner('POST', `/v1/keys/${old.key.id}/rotate`, { overlapSeconds: 3600 })
    expect(status).toBe(201)
    expect(next.key).toMatchObject({ role: 'auditor', label: 'reports', expiresAt: null })
    for (const key of [old.text, next.text]) expect((await auth.call('GET', '/v1/keys', { key })).status).toBe(200)
    await auth.owner.query(`update keys set expires_at = expires_at - interval '3601 s' where id = $1`, [old.key.id])
    expect((await auth.call('GET', '/v1/keys', { key: old.text })).status).toBe(401)
    expect((await auth.call('GET', '/v1/keys', { key: next.text })).status).toBe(200)
  })

  test.each([
    ['without an expiry', null],
    ['with one', '2098-01-01T00:00:00.000Z'],
  ])('is rotated again when the answer was lost, and each replacement has its expiry: %s', async (_, expiresAt) => {
    const auth = await createAuth()
    const { body: old } = await auth.asOwner('POST', '/v1/keys', { role: 'auditor', ...(expiresAt && { expiresAt }) })
    const rotate = async (overlapSeconds: number) =>
      (await auth.asOwner('POST', `/v1/keys/${old.key.id}/rotate`, { overlapSeconds })).body
    const expiryOfOld = async () => {
      const { body } = await auth.asOwner('GET', '/v1/keys')
      return Date.parse(body.keys.find(({ id }: { id: string }) => id === old.key.id).expiresAt)
    }
    const works = async (key: string) => (await auth.call('GET', '/v1/keys', { key })).status === 200
    const [lost, first] = [await rotate(3_600), await expiryOfOld()]
    const startedAt = Date.now()
    const [second, later] = [await rotate(7_200), await expiryOfOld()]
    expect([lost.key.expiresAt, second.key.expiresAt]).toEqual([expiresAt, expiresAt])
    // It counts from the second rotation.
    expect(later).toBeGreaterThan(first)
    expect(later).toBeGreaterThanOrEqual(startedAt + 7_200_000)
    expect(await works(old.text)).toBe(true)
    // Without an overlap the old one ends at once, and never comes back.
    expect((await rotate(0)).key.expiresAt).toBe(expiresAt)
    expect(await works(old.text)).toBe(false)
    const last = await rotate(3_600)
    expect(last.key.expiresAt).toBe(expiresAt)
    expect([await works(old.text), await works(last.text)]).toEqual([false, true])
    // The owner decides anew.
    await auth.asOwner('PATCH', `/v1/keys/${old.key.id}`, { expiresAt: '2097-01-01T00:00:00Z' })
    expect((await rotate(3_600)).key.expiresAt).toBe('2097-01-01T00:00:00.000Z')
  })

  test('that is rotated ends no later than its owner chose', async () => {
    const auth = await createAuth()
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString()
    const { body: old } = await auth.asOwner('POST', '/v1/keys', { role: 'read', expiresAt })
    for (let each = 0; each < 2; each += 1) {
      const { body } = await auth.asOwner('POST', `/v1/keys/${old.key.id}/rotate`, { overlapSeconds: 86_400 })
      expect(body.key.expiresAt).toBe(expiresAt)
    }
    const { body } = await auth.asOwner('GET', '/v1/keys')
    expect(body.keys.find(({ id }: { id: string }) => id === old.key.id).expiresAt).toBe(expiresAt)
  })

  test('that is revoked stays listed, cannot be changed, and may be revoked again', async () => {
    const auth = await createAuth()
    const { body: made } = await auth.asOwner('POST', '/v1/keys', { role: 'read' })
    const url = `/v1/keys/${made.key.id}`
    expect((await auth.asOwner('DELETE', url)).status).toBe(204)
    expect((await auth.asOwner('DELETE', url)).status).toBe(204)
    expect((await auth.asOwner('PATCH', url, { label: 'x' })).body.code).toBe('key_revoked')
    expect((await auth.asOwner('POST', `${url}/rotate`, {})).body.code).toBe('key_revoked')
    const { body } = await auth.asOwner('GET', '/v1/keys?project=default')
    expect(body.keys.find(({ id }: { id: string }) => id === made.key.id).revokedAt).not.toBeNull()
    expect((await auth.audit()).filter(({ action }) => action === 'key.revoke')).toHaveLength(1)
  })

  test('of the operator cannot be changed, rotated or revoked over HTTP', async () => {
    const auth = await createAuth()
    const url = `/v1/keys/${firstKeys.owner.id}`
    for (const refused of [
      await auth.asOwner('PATCH', url, { label: 'x' }),
      await auth.asOwner('POST', `${url}/rotate`, {}),
      await auth.asOwner('DELETE', url),
    ]) {
      expect([refused.status, refused.body.code]).toEqual([409, 'key_is_operators'])
    }
  })
})

describe('the first keys', () => {
  test('are installed once: a revoked one does not come back with the next start', async () => {
    const auth = await createAuth()
    await auth.asOwner('DELETE', `/v1/keys/${firstKeys.read.id}`)
    await installFirstAccess(auth.db, firstAccess)
    expect((await auth.call('GET', '/v1/keys', { key: firstKeys.read.text })).body.code).toBe('key_unknown')
    const { body } = await auth.asOwner('GET', '/v1/keys')
    expect(body.keys).toHaveLength(4)
    expect((await auth.asOwner('GET', '/v1/users')).body.users).toHaveLength(1)
  })

  test('do not come back when old keys are removed', async () => {
    const auth = await createAuth()
    await auth.owner.query(`update keys set revoked_at = now() - interval '91 days' where not is_operator`)
    expect((await auth.owner.query('select expire_keys()::int as expired')).rows).toEqual([{ expired: 2 }])
    await installFirstAccess(auth.db, firstAccess)
    const { body } = await auth.asOwner('GET', '/v1/keys')
    expect(body.keys).toHaveLength(2)
    for (const { id, text } of [firstKeys.write, firstKeys.secret, firstKeys.read]) {
      expect((await auth.call('GET', '/v1/keys', { key: text })).body.code).toBe('key_unknown')
      const isLeft = body.keys.some((key: { id: string }) => key.id === id)
      const { status, body: answer } = await auth.asOwner('PATCH', `/v1/keys/${id}`, { label: 'x' })
      expect([status, answer.code]).toEqual(isLeft ? [409, 'key_revoked'] : [404, 'key_not_found'])
    }
  })

  test("a new secret file replaces the operator's key, and the key of a restored old file works again", async () => {
    const auth = await createAuth()
    const other = {
      ...firstAccess,
      operator: { id: firstKeys.secret.id.split('').reverse().join(''), hash: hashKey('another') },
    }
    await installFirstAccess(auth.db, other)
    expect((await auth.asOwner('GET', '/v1/keys')).body.code).toBe('key_unknown')
    await installFirstAccess(auth.db, firstAccess)
    expect((await auth.asOwner('GET', '/v1/keys')).status).toBe(200)
  })

  test('are installed once by two instances that start together', async () => {
    const auth = await createAuth()
    await auth.owner.query('delete from keys; delete from users')
    await Promise.all([installFirstAccess(auth.db, firstAccess), installFirstAccess(auth.db, firstAccess)])
    expect((await auth.asOwner('GET', '/v1/keys')).body.keys).toHaveLength(4)
  })
})

test('projects are created, listed and renamed, and the audit log has the actor and address of each change', async () => {
  const auth = await createAuth()
  const made = await auth.asOwner('POST', '/v1/projects', { name: 'shop', derivesVisitors: false })
  expect([made.status, made.body]).toMatchObject([201, { name: 'shop', derivesVisitors: false }])
  expect((await auth.asOwner('POST', '/v1/projects', { name: 'shop' })).body.code).toBe('project_exists')
  expect((await auth.asOwner('POST', '/v1/projects', { name: 'No Spaces' })).status).toBe(422)
  expect((await auth.asOwner('PATCH', '/v1/projects/shop', { name: 'default' })).body.code).toBe('project_exists')
  expect((await auth.asOwner('PATCH', '/v1/projects/nobody', {})).body.code).toBe('project_unknown')
  const renamed = await auth.asOwner('PATCH', '/v1/projects/shop', { name: 'store' })
  expect(renamed.body).toMatchObject({ name: 'store', derivesVisitors: false })
  expect((await auth.asOwner('GET', '/v1/projects')).body.projects.map(({ name }: { name: string }) => name)).toEqual([
    'default',
    'store',
  ])
  const [change, create] = await auth.audit()
  expect(change).toMatchObject({ action: 'project.change', subject: 'shop', detail: { name: 'store' } })
  expect(create).toMatchObject({ action: 'project.create', actor: `key:${firstKeys.owner.id}`, address: '192.0.2.7' })
})

test('a project declares up to 20 props as dimensions, and the audit log has who changed them', async () => {
  const auth = await createAuth()
  const change = async (dimensions: unknown) => auth.asOwner('PATCH', '/v1/projects/default', { dimensions })
  expect((await change(['plan', 'size'])).body).toMatchObject({ dimensions: ['plan', 'size'], derivesVisitors: true })
  const [entry] = await auth.audit()
  expect(entry).toMatchObject({ action: 'project.change', detail: { dimensions: ['plan', 'size'] } })
  const many = Array.from({ length: 21 }, (_, index) => `prop-${index}`)
  for (const wrong of [many, ['plan', 'plan'], [''], ['a\0'], ['a/b'], ['a?b'], ['p'.repeat(129)], [1], 'plan']) {
    expect((await change(wrong)).status, JSON.stringify(wrong)).toBe(422)
  }
  expect((await change(many.slice(1))).body.dimensions).toHaveLength(20)
  expect(
    (await auth.asOwner('PATCH', '/v1/projects/default', { derivesVisitors: false })).body.dimensions,
  ).toHaveLength(20)
  const made = await auth.asOwner('POST', '/v1/projects', { name: 'shop', dimensions: ['plan'] })
  expect(made.body).toMatchObject({ name: 'shop', dimensions: ['plan'] })
})

test('the service cannot change or delete entries of the audit log, or access clicks', async () => {
  const auth = await createAuth()
  for (const statement of [
    'update audit_log set actor = $$nobody$$',
    'delete from audit_log',
    'select * from clicks',
    'delete from keys',
    'update projects set id = 7',
  ]) {
    await expect(
      auth.db.executeQuery({ sql: statement, parameters: [], query: {} as never, queryId: {} as never }),
    ).rejects.toMatchObject({ code: '42501' })
  }
})
