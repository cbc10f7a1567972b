import { keyRoles } from '@clicktally/keys/roles.ts'
import { ownerOperations } from '@clicktally/operations/owner-operations.ts'
import { expect, test } from 'vitest'
import { createAuth } from './auth-under-test.ts'

const needsNoKey = ['setPassword', 'signIn']
const needsSession = ['getSession', 'signOut']
const operations = Object.values(ownerOperations).filter(
  ({ schema }) => ![...needsNoKey, ...needsSession].includes(schema.operationId),
)
/** Bodies that match the schemas. The ids do not exist. */
const bodies: Record<string, object> = {
  createProject: { name: 'matrix' },
  changeProject: {},
  createKey: { role: 'read' },
  changeKey: {},
  rotateKey: {},
  createPublicCounter: {},
  createLink: { url: 'https://shop.example/' },
  moveProject: { cell: 'home', state: 'settled' },
  createWebhook: { url: 'https://hooks.example/' },
  changeWebhook: { enabled: true },
  rotateWebhookSecret: {},
  redeliver: {},
  createThreshold: { type: 'silent', windowMinutes: 60 },
  inviteUser: { email: 'matrix@example.org', role: 'auditor' },
  changeUser: {},
}

test('each role may call exactly the operations that its rights allow', async () => {
  const auth = await createAuth()
  const matrix: Record<string, string[]> = {}
  for (const role of keyRoles) {
    const key = await auth.keyOf(role)
    matrix[role] = []
    for (const { method, url, schema } of operations) {
      const { status } = await auth.call(method, url.replace(/:\w+/, 'nobody'), {
        key,
        body: bodies[schema.operationId] ?? undefined,
      } as object)
      expect([200, 201, 202, 204, 403, 404], `${role} ${schema.operationId}`).toContain(status)
      if (status !== 403) matrix[role].push(schema.operationId)
    }
  }
  const reading = [
    ...[
      'listProjects',
      'listKeys',
      'listPublicCounters',
      'listLinks',
      'listWebhooks',
      'listDeliveries',
      'listThresholds',
    ],
    ...['listUsers', 'listAudit'],
  ]
  expect(matrix).toEqual({
    write: [],
    secret: [],
    read: [],
    auditor: operations.map(({ schema }) => schema.operationId).filter((id) => reading.includes(id)),
    owner: operations.map(({ schema }) => schema.operationId),
  })
})

test('every operation is refused without a key, and with an unknown, malformed, expired or revoked one', async () => {
  const auth = await createAuth()
  const { body: expiring } = await auth.asOwner('POST', '/v1/keys', { role: 'owner' })
  await auth.owner.query(`update keys set expires_at = now() - interval '1 s' where id = $1`, [expiring.key.id])
  const { body: revoked } = await auth.asOwner('POST', '/v1/keys', { role: 'owner' })
  await auth.asOwner('DELETE', `/v1/keys/${revoked.key.id}`)
  const mistyped = `${expiring.text.slice(0, -1)}${expiring.text.endsWith('0') ? '1' : '0'}`
  for (const { method, url, schema } of Object.values(ownerOperations)) {
    if (needsNoKey.includes(schema.operationId)) continue
    const call = async (key?: string) => {
      const body = bodies[schema.operationId]
      const { status, body: answer } = await auth.call(method, url.replace(/:\w+/, 'nobody'), {
        ...(key !== undefined && { key }),
        ...(body !== undefined && { body }),
      })
      return [status, answer.code]
    }
    expect(await call(), schema.operationId).toEqual([401, 'key_missing'])
    expect(await call(expiring.text)).toEqual([401, 'key_unknown'])
    expect(await call(revoked.text)).toEqual([401, 'key_unknown'])
    expect(await call(mistyped)).toEqual([401, 'key_malformed'])
  }
})
