import { describe, expect, test } from 'vitest'
import { createAuth } from './auth-under-test.ts'

const url = 'https://hooks.example/clicktally?token=t'

async function createWithWebhook() {
  const auth = await createAuth()
  const { body } = await auth.asOwner('POST', '/v1/webhooks', { url })
  const path = `/v1/webhooks/${body.webhook.id}`
  return {
    ...auth,
    webhook: body.webhook,
    path,
    /** What the notifier would record. */
    record: (set: string) => auth.owner.query(`update webhook_deliveries set ${set}`),
    read: async () => (await auth.asOwner('GET', '/v1/webhooks')).body.webhooks[0],
    test: async (): Promise<string> => (await auth.asOwner('POST', `${path}/test`)).body.event,
    deliveries: async () => (await auth.asOwner('GET', `${path}/deliveries`)).body.deliveries,
  }
}

describe('a webhook', () => {
  test('has a secret that is shown once, and that the service itself cannot read', async () => {
    const { asOwner, owner, db } = await createAuth()
    const { status, headers, body } = await asOwner('POST', '/v1/webhooks', { url })
    expect([status, headers['cache-control'], body.webhook]).toEqual([
      201,
      'no-store',
      {
        ...{ id: expect.any(String), project: 'default', url, state: 'enabled', disabledBecause: null },
        ...{ undelivered: 0, lastError: null, nextAttemptAt: null, createdAt: expect.any(String) },
      },
    ])
    const { rows } = await owner.query('select secret from webhooks')
    expect(body.secret).toBe(`whsec_${rows[0].secret.toString('base64')}`)
    expect((await asOwner('GET', '/v1/webhooks')).body).toEqual({ webhooks: [body.webhook] })
    await expect(db.selectFrom('webhooks').select('secret').execute()).rejects.toThrow('permission denied')
  })

  test('gets a new secret, and the service can read neither that nor the old one', async () => {
    const { asOwner, owner, db, path } = await createWithWebhook()
    const secrets = async () => (await owner.query('select secret, previous_secret from webhooks')).rows[0]
    const { secret: first } = await secrets()
    const { status, headers, body } = await asOwner('POST', `${path}/rotate`, {})
    expect([status, headers['cache-control']]).toEqual([200, 'no-store'])
    const second = await secrets()
    expect(body.secret).toBe(`whsec_${second.secret.toString('base64')}`)
    expect(second.previous_secret).toEqual(first)
    expect(second.secret).not.toEqual(first)
    const { rows } = await owner.query(
      'select round(extract(epoch from previous_secret_until - now()) / 3600) as hours from webhooks',
    )
    expect(rows).toEqual([{ hours: 24 }])
    await asOwner('POST', `${path}/rotate`, { overlapSeconds: 0 })
    expect((await secrets()).previous_secret).toBeNull()
    for (const column of ['secret', 'previous_secret'] as const)
      await expect(db.selectFrom('webhooks').select(column).execute()).rejects.toThrow('permission denied')
    expect((await asOwner('POST', '/v1/webhooks/nobody/rotate', {})).body.code).toBe('webhook_not_found')
    const { entries } = (await asOwner('GET', '/v1/audit')).body
    expect(entries.filter(({ action }: { action: string }) => action === 'webhook.rotate')).toMatchObject([
      { detail: { overlapSeconds: 0 } },
      { detail: { overlapSeconds: 86_400 } },
    ])
  })

  test.each([
    [{ url: 'http://hooks.example/' }, 422, 'url_invalid'],
    [{ url: 'hooks.example' }, 422, 'url_invalid'],
    [{ url: 'https://' }, 422, 'url_invalid'],
    [{ url: 'file:///etc/passwd' }, 422, 'url_invalid'],
    [{ url: 'https://ann:pass@hooks.example/' }, 422, 'url_invalid'],
    [{ url: `https://hooks.example/${'a'.repeat(2_048)}` }, 422, 'body_invalid'],
    [{}, 422, 'body_invalid'],
    [{ url, project: 'nobody' }, 404, 'project_unknown'],
  ])('is refused: %j', async (body, status, code) => {
    const { asOwner } = await createAuth()
    const answer = await asOwner('POST', '/v1/webhooks', body)
    expect([answer.status, answer.body.code]).toEqual([status, code])
  })

  test('is one of at most 20 of a project', async () => {
    const { asOwner } = await createAuth()
    for (let number = 0; number < 20; number += 1) await asOwner('POST', '/v1/webhooks', { url })
    expect((await asOwner('POST', '/v1/webhooks', { url })).body.code).toBe('too_many_webhooks')
  })

  test('is tried with an event that only it gets', async () => {
    const { asOwner, path, deliveries } = await createWithWebhook()
    await asOwner('POST', '/v1/webhooks', { url })
    const { status, body } = await asOwner('POST', `${path}/test`)
    expect([status, body]).toMatchObject([202, { type: 'test', state: 'waiting', attempts: 0, lastError: null }])
    expect(JSON.parse(body.body)).toEqual({
      ...{ type: 'test', timestamp: expect.any(String), data: { project: 'default' } },
    })
    expect(await deliveries()).toEqual([body])
    const { webhooks } = (await asOwner('GET', '/v1/webhooks')).body
    expect(webhooks.map(({ undelivered }: { undelivered: number }) => undelivered)).toEqual([1, 0])
  })

  test('shows why deliveries fail and when the next attempt is', async () => {
    const { test: send, record, read, deliveries } = await createWithWebhook()
    await send()
    await record(
      `attempts = 3, last_attempt_at = '2026-03-01T10:00Z', last_status = 500, last_error = 'answered 500',
       next_attempt_at = '2026-03-01T10:05Z'`,
    )
    const nextAttemptAt = '2026-03-01T10:05:00.000Z'
    expect(await read()).toMatchObject({ state: 'failing', undelivered: 1, lastError: 'answered 500', nextAttemptAt })
    expect(await deliveries()).toMatchObject([
      { state: 'waiting', attempts: 3, lastStatus: 500, lastError: 'answered 500', nextAttemptAt },
    ])
    await record('next_attempt_at = null')
    expect(await deliveries()).toMatchObject([{ state: 'given_up', nextAttemptAt: null }])
    await record('delivered_at = now(), last_error = null, last_status = 204')
    expect(await deliveries()).toMatchObject([{ state: 'delivered', lastStatus: 204 }])
    expect(await read()).toMatchObject({ state: 'enabled', undelivered: 0, lastError: null })
  })

  test('that was disabled gets everything undelivered when it is enabled again', async () => {
    const { asOwner, owner, path, test: send, record, read } = await createWithWebhook()
    await send()
    await record(`attempts = 10, last_attempt_at = now(), last_error = 'connection refused', next_attempt_at = null`)
    await owner.query(`update webhooks set disabled_at = now(), disabled_because = 'failing'`)
    expect(await read()).toMatchObject({ state: 'disabled', disabledBecause: 'failing', undelivered: 1 })
    expect((await asOwner('POST', `${path}/test`)).body.code).toBe('webhook_disabled')
    expect((await asOwner('POST', `${path}/redeliver`, {})).body.code).toBe('webhook_disabled')
    const { body } = await asOwner('PATCH', path, { enabled: true })
    expect(body).toMatchObject({ disabledBecause: null, nextAttemptAt: expect.any(String) })
    expect((await asOwner('PATCH', path, { enabled: false })).body).toMatchObject({
      ...{ state: 'disabled', disabledBecause: 'owner', nextAttemptAt: null },
    })
  })

  test('gets one event again, or all that are undelivered', async () => {
    const { asOwner, owner, path, test: send, record, deliveries } = await createWithWebhook()
    const delivered = await send()
    await record('attempts = 1, delivered_at = now(), next_attempt_at = null')
    const failed = await send()
    await owner.query('update webhook_deliveries set attempts = 10, next_attempt_at = null where event_id = $1', [
      failed,
    ])
    const again = (body: object) => asOwner('POST', `${path}/redeliver`, body)
    expect((await again({})).body).toEqual({ deliveries: 1 })
    expect(await deliveries()).toMatchObject([
      { event: failed, state: 'waiting', attempts: 0 },
      { event: delivered, state: 'delivered' },
    ])
    expect((await again({ event: delivered })).body).toEqual({ deliveries: 1 })
    expect(await deliveries()).toMatchObject([{ state: 'waiting' }, { event: delivered, state: 'waiting' }])
    expect((await again({ event: 'nothing' })).body.code).toBe('event_not_found')
    expect((await again({ event: '01a1fbf9-47c2-790c-9f4f-1b848ca0e748' })).body.code).toBe('event_not_found')
  })

  test('is deleted with its deliveries; the audit log has every change, and no path of the URL', async () => {
    const { asOwner, owner, path, webhook, test: send, audit } = await createWithWebhook()
    await send()
    await asOwner('PATCH', path, { enabled: false })
    await asOwner('PATCH', path, { enabled: false })
    await asOwner('PATCH', path, { enabled: true })
    expect((await asOwner('DELETE', path)).status).toBe(204)
    expect((await asOwner('GET', `${path}/deliveries`)).body.code).toBe('webhook_not_found')
    expect((await owner.query('select from webhook_deliveries')).rowCount).toBe(0)
    const entries = (await audit()).filter(({ subject }) => subject === webhook.id)
    expect(entries.map(({ action }) => action).reverse()).toEqual([
      ...['webhook.create', 'webhook.test', 'webhook.disable', 'webhook.enable', 'webhook.delete'],
    ])
    expect(JSON.stringify(entries)).toContain('https://hooks.example')
    expect(JSON.stringify(entries)).not.toContain('token')
  })
})

describe('a threshold', () => {
  test('is created, listed by project and deleted', async () => {
    const { asOwner, audit } = await createAuth()
    await asOwner('POST', '/v1/projects', { name: 'shop' })
    const wish = { target: 'signup', type: 'reached', clicks: 100, windowMinutes: 60 }
    const { status, body } = await asOwner('POST', '/v1/thresholds', wish)
    expect([status, body]).toMatchObject([201, { ...wish, project: 'default', isMet: false }])
    const silent = await asOwner('POST', '/v1/thresholds', { project: 'shop', type: 'silent', windowMinutes: 5 })
    expect(silent.body).toMatchObject({ project: 'shop', target: null, clicks: null })
    const ids = async (query = '') =>
      (await asOwner('GET', `/v1/thresholds${query}`)).body.thresholds.map(({ id }: { id: string }) => id)
    expect(await ids()).toEqual([body.id, silent.body.id])
    expect(await ids('?project=shop')).toEqual([silent.body.id])
    expect((await asOwner('DELETE', `/v1/thresholds/${body.id}`)).status).toBe(204)
    expect((await asOwner('DELETE', `/v1/thresholds/${body.id}`)).body.code).toBe('threshold_not_found')
    expect(await ids()).toEqual([silent.body.id])
    const actions = (await audit()).map(({ action }) => action)
    expect(actions).toEqual(expect.arrayContaining(['threshold.create', 'threshold.delete']))
  })

  test.each([
    [{ type: 'reached', windowMinutes: 60 }, 422, 'threshold_invalid'],
    [{ type: 'silent', clicks: 1, windowMinutes: 60 }, 422, 'threshold_invalid'],
    [{ type: 'reached', clicks: 0, windowMinutes: 60 }, 422, 'body_invalid'],
    [{ type: 'silent', windowMinutes: 0 }, 422, 'body_invalid'],
    [{ type: 'silent', windowMinutes: 1_441 }, 422, 'body_invalid'],
    [{ type: 'silent', windowMinutes: 60, target: 'a\0' }, 422, 'body_invalid'],
    [{ type: 'silent', windowMinutes: 60, project: 'nobody' }, 404, 'project_unknown'],
  ])('is refused: %j', async (body, status, code) => {
    const { asOwner } = await createAuth()
    const answer = await asOwner('POST', '/v1/thresholds', body)
    expect([answer.status, answer.body.code]).toEqual([status, code])
  })
})
