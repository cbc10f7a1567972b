import { describe, expect, test } from 'vitest'
import { createAuth, ownerEmail, ownerPassword } from './auth-under-test.ts'

const password = 'a long enough password'

describe('a session', () => {
  test('starts with the password, and ends when the user signs out', async () => {
    const auth = await createAuth()
    const signedIn = await auth.call('POST', '/v1/session', {
      body: { email: ownerEmail.toUpperCase(), password: ownerPassword },
    })
    expect([signedIn.status, signedIn.body]).toMatchObject([
      200,
      { email: ownerEmail, role: 'owner', status: 'active' },
    ])
    const setCookie = String(signedIn.headers['set-cookie'])
    expect(setCookie).toMatch(
      /^__Host-clicktally=[\w-]{43}; Max-Age=1209600; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
    )
    const cookie = setCookie.split(';')[0] ?? ''
    expect((await auth.call('GET', '/v1/session', { cookie })).body.email).toBe(ownerEmail)
    expect((await auth.call('POST', '/v1/projects', { cookie, body: { name: 'shop' } })).status).toBe(201)
    const { rows } = await auth.owner.query('select * from sessions')
    expect(JSON.stringify(rows)).not.toContain(cookie.split('=')[1])
    const ended = await auth.call('DELETE', '/v1/session', { cookie })
    expect([ended.status, String(ended.headers['set-cookie'])]).toEqual([204, expect.stringContaining('Max-Age=0')])
    expect((await auth.call('GET', '/v1/session', { cookie })).body.code).toBe('session_expired')
    expect((await auth.audit()).map(({ action }) => action).slice(0, 3)).toEqual([
      'session.end',
      'project.create',
      'session.start',
    ])
  })

  test('cannot be used by another site to change anything', async () => {
    const auth = await createAuth()
    const cookie = await auth.signIn()
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'none' },
    ]) {
      const { status, body } = await auth.call('POST', '/v1/projects', { cookie, headers, body: { name: 'evil' } })
      expect([status, body.code]).toEqual([403, 'cross_site_request'])
    }
    expect((await auth.asOwner('GET', '/v1/projects')).body.projects).toHaveLength(1)
  })

  test('can be ended together with all others of the user', async () => {
    const auth = await createAuth()
    const [first, second] = [await auth.signIn(), await auth.signIn()]
    await auth.call('DELETE', '/v1/session?everywhere=true', { cookie: first })
    for (const cookie of [first, second]) expect((await auth.call('GET', '/v1/session', { cookie })).status).toBe(401)
  })

  test('expires after two weeks', async () => {
    const auth = await createAuth()
    const cookie = await auth.signIn()
    await auth.owner.query(`update sessions set expires_at = expires_at - interval '14 days'`)
    expect((await auth.call('GET', '/v1/session', { cookie })).body.code).toBe('session_expired')
  })

  test('is refused for a wrong password, an unknown address or a disabled account, with the same response', async () => {
    const auth = await createAuth()
    const refused = await Promise.all([
      auth.call('POST', '/v1/session', { body: { email: ownerEmail, password: 'wrong wrong wrong' } }),
      auth.call('POST', '/v1/session', { body: { email: 'nobody@example.org', password: ownerPassword } }),
    ])
    for (const { status, body } of refused) expect([status, body.code]).toEqual([401, 'sign_in_failed'])
    expect(refused[0]?.body.detail).toBe(refused[1]?.body.detail)
    expect((await auth.audit())[0]).toMatchObject({ action: 'session.refuse', address: '192.0.2.7' })
  })

  test('failed attempts are limited by account and by address, until the window ends', async () => {
    let now = 0
    const auth = await createAuth({ now: () => now })
    const attempt = (email: string, address: string) =>
      auth.call('POST', '/v1/session', {
        body: { email, password: 'wrong wrong wrong' },
        headers: { 'x-forwarded-for': address },
      })
    for (let each = 0; each < 10; each += 1) expect((await attempt(ownerEmail, `192.0.2.${each}`)).status).toBe(401)
    const limited = await attempt(ownerEmail, '192.0.2.99')
    expect([limited.status, limited.body.code, limited.headers['retry-after']]).toEqual([
      429,
      'too_many_attempts',
      '900',
    ])
    // The limit also applies to the correct password, but not to other accounts.
    const right = await auth.call('POST', '/v1/session', { body: { email: ownerEmail, password: ownerPassword } })
    expect(right.status).toBe(429)
    expect((await attempt('other@example.org', '192.0.2.99')).status).toBe(401)
    for (let each = 0; each < 9; each += 1) await attempt(`guess${each}@example.org`, '192.0.2.99')
    expect((await attempt('third@example.org', '192.0.2.99')).status).toBe(429)
    now = 900_001
    expect(
      (await auth.call('POST', '/v1/session', { body: { email: ownerEmail, password: ownerPassword } })).status,
    ).toBe(200)
  })
})

describe('a user', () => {
  test('is invited by a link that works once', async () => {
    const auth = await createAuth()
    const { status, body } = await auth.asOwner('POST', '/v1/users', { email: 'ann@example.org', role: 'auditor' })
    expect([status, body.user]).toMatchObject([201, { email: 'ann@example.org', role: 'auditor', status: 'invited' }])
    expect((await auth.asOwner('POST', '/v1/users', { email: 'Ann@example.org', role: 'owner' })).body.code).toBe(
      'email_exists',
    )
    const set = (token: string, text = password) =>
      auth.call('POST', '/v1/password', { body: { token, password: text } })
    expect((await set(body.token, 'short')).body).toMatchObject({ code: 'body_invalid', field: 'password' })
    expect((await set(body.token)).status).toBe(204)
    expect((await set(body.token)).body.code).toBe('token_invalid')
    const cookie = await auth.signIn('ann@example.org', password)
    expect((await auth.call('GET', '/v1/keys', { cookie })).status).toBe(200)
    expect((await auth.call('POST', '/v1/projects', { cookie, body: { name: 'x' } })).body.code).toBe('right_missing')
    expect(JSON.stringify(await auth.audit())).not.toMatch(new RegExp(`${body.token}|${password}`))
  })

  test('gets a new link that replaces the previous one, and a new password ends the sessions', async () => {
    const auth = await createAuth()
    const { body: invited } = await auth.asOwner('POST', '/v1/users', { email: 'ann@example.org', role: 'owner' })
    const { body: link } = await auth.asOwner('POST', `/v1/users/${invited.user.id}/password-link`)
    expect((await auth.call('POST', '/v1/password', { body: { token: invited.token, password } })).status).toBe(422)
    await auth.call('POST', '/v1/password', { body: { token: link.token, password } })
    const cookie = await auth.signIn('ann@example.org', password)
    const { body: reset } = await auth.asOwner('POST', `/v1/users/${invited.user.id}/password-link`)
    await auth.call('POST', '/v1/password', { body: { token: reset.token, password: `${password} 2` } })
    expect((await auth.call('GET', '/v1/session', { cookie })).status).toBe(401)
    await expect(auth.signIn('ann@example.org', password)).rejects.toThrow()
    await auth.signIn('ann@example.org', `${password} 2`)
  })

  test('cannot use an expired link', async () => {
    const auth = await createAuth()
    const { body } = await auth.asOwner('POST', '/v1/users', { email: 'ann@example.org', role: 'auditor' })
    await auth.owner.query(`update password_links set expires_at = now()`)
    expect((await auth.call('POST', '/v1/password', { body: { token: body.token, password } })).body.code).toBe(
      'token_invalid',
    )
  })

  test('who is disabled is signed out and cannot sign in, until enabled again', async () => {
    const auth = await createAuth()
    const { body } = await auth.asOwner('POST', '/v1/users', { email: 'ann@example.org', role: 'owner' })
    await auth.call('POST', '/v1/password', { body: { token: body.token, password } })
    const cookie = await auth.signIn('ann@example.org', password)
    const url = `/v1/users/${body.user.id}`
    expect((await auth.asOwner('PATCH', url, { disabled: true })).body.status).toBe('disabled')
    expect((await auth.call('GET', '/v1/session', { cookie })).status).toBe(401)
    await expect(auth.signIn('ann@example.org', password)).rejects.toThrow('401')
    await auth.asOwner('PATCH', url, { disabled: false })
    await auth.signIn('ann@example.org', password)
  })

  test('who is the last owner can be neither demoted nor disabled', async () => {
    const auth = await createAuth()
    const { body } = await auth.asOwner('GET', '/v1/users')
    const url = `/v1/users/${body.users[0].id}`
    for (const change of [{ role: 'auditor' }, { disabled: true }]) {
      expect((await auth.asOwner('PATCH', url, change)).body.code).toBe('last_owner')
    }
    expect((await auth.asOwner('PATCH', '/v1/users/nobody', {})).body.code).toBe('user_not_found')
  })
})
