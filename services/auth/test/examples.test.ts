import { ownerOperations } from '@clicktally/operations/owner-operations.ts'
import { expect, test } from 'vitest'
import { createAuth, firstKeys } from './auth-under-test.ts'

test('the examples in the OpenAPI document work as they stand', async () => {
  const { call } = await createAuth()
  /** The id that the latest answer has, for the paths of the following requests. */
  let id = ''
  let slug = ''
  const statuses: Record<string, number> = {}
  for (const { method, url, schema } of Object.values(ownerOperations)) {
    const example = 'body' in schema ? (schema.body as { examples?: readonly object[] }).examples?.[0] : undefined
    const path = url.replace(':name', 'shop').replace(':id', id).replace(':slug', slug)
    const { status, body } = await call(method, path, {
      key: firstKeys.owner.text,
      ...(example !== undefined && { body: example }),
    })
    statuses[schema.operationId] = status
    id = body?.key?.id ?? body?.user?.id ?? body?.webhook?.id ?? body?.id ?? id
    slug = body?.publicCounter?.slug ?? body?.slug ?? slug
  }
  expect(statuses).toEqual({
    ...{ listProjects: 200, createProject: 201, changeProject: 200, moveProject: 200 },
    ...{ listKeys: 200, createKey: 201, changeKey: 200, rotateKey: 201, revokeKey: 204 },
    ...{ listPublicCounters: 200, createPublicCounter: 201, deletePublicCounter: 204 },
    ...{ listLinks: 200, createLink: 201, deleteLink: 204 },
    ...{ listWebhooks: 200, createWebhook: 201, changeWebhook: 200 },
    ...{ rotateWebhookSecret: 200, testWebhook: 202 },
    ...{ listDeliveries: 200, redeliver: 202, deleteWebhook: 204 },
    ...{ listThresholds: 200, createThreshold: 201, deleteThreshold: 204 },
    ...{ listUsers: 200, inviteUser: 201, changeUser: 200, createPasswordLink: 201 },
    // The token is made up, and a session belongs to a user, not to a key.
    setPassword: 422,
    ...{ signIn: 200, getSession: 401, signOut: 401, listAudit: 200 },
  })
})
