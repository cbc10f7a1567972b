import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import type { FirstAccess } from '@clicktally/keys/first-access.ts'
import { makeKey } from '@clicktally/keys/key-text.ts'
import { hashPassword } from '@clicktally/keys/password.ts'
import type { KeyRole } from '@clicktally/keys/roles.ts'
import { homeCell } from '@clicktally/system/cells.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { onTestFinished, vi } from 'vitest'
import { createApp } from '../app.ts'
import { installFirstAccess } from '../installation/first-access.ts'
import { SignInLimits } from '../sessions/sign-in-limits.ts'

const logger = pino({ level: 'silent' })
export const ownerPassword = 'correct horse battery staple'
export const ownerEmail = 'owner@localhost'

/** The first keys, and the file with their hashes. Created once, because hashing the password takes 30 ms. */
export const firstKeys = {
  owner: makeKey('owner'),
  write: makeKey('write'),
  secret: makeKey('secret'),
  read: makeKey('read'),
}
export const firstAccess: FirstAccess = {
  operator: { id: firstKeys.owner.id, hash: firstKeys.owner.hash },
  keys: (['write', 'secret', 'read'] as const).map((role) => {
    const { id, hash } = firstKeys[role]
    return { id, hash, role, origins: role === 'write' ? ['http://localhost:8080'] : [] }
  }),
  owner: { email: ownerEmail, passwordHash: await hashPassword(ownerPassword) },
}

export interface Answer {
  readonly status: number
  readonly headers: Record<string, string | string[] | number | undefined>
  // biome-ignore lint/suspicious/noExplicitAny: the tests assert the types of the body
  readonly body: any
}

/** Creates the service with a separate database, under its database role, with the first keys installed. */
export async function createAuth({
  now,
  cells = [homeCell],
}: {
  readonly now?: () => number
  readonly cells?: readonly string[]
} = {}) {
  const { authUrl, ownerUrl } = await createTestDatabase()
  const owner = createPool({ url: ownerUrl, name: 'test', logger, maxConnections: 1, statementTimeoutMs: 60_000 })
  const db = createDatabase(
    createPool({ url: authUrl, name: 'test', logger, maxConnections: 3, statementTimeoutMs: 60_000 }),
  )
  const onKeysChanged = vi.fn()
  const context = { db, signInLimits: new SignInLimits(now), webhookAddresses: 'public', cells, onKeysChanged } as const
  const app = createApp(context, logger, new Registry())
  onTestFinished(async () => {
    await app.close()
    await db.destroy()
    await owner.end()
  })
  await installFirstAccess(db, firstAccess)

  async function call(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    {
      key,
      cookie,
      headers = {},
      body,
    }: { key?: string; cookie?: string; headers?: Record<string, string>; body?: object } = {},
  ): Promise<Answer> {
    const response = await app.inject({
      ...{ method, url },
      headers: {
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
        ...(cookie !== undefined && { cookie, 'sec-fetch-site': 'same-origin' }),
        'x-forwarded-for': '192.0.2.7',
        ...headers,
      },
      ...(body !== undefined && { payload: body }),
    })
    return {
      status: response.statusCode,
      headers: response.headers,
      body: response.body === '' ? undefined : response.json(),
    }
  }
  const asOwner = (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', url: string, body?: object) =>
    call(method, url, { key: firstKeys.owner.text, ...(body !== undefined && { body }) })
  return {
    app,
    db,
    /** A client with the role that owns the tables. */
    owner,
    onKeysChanged,
    call,
    asOwner,
    /** Creates a key of this role for the project `default`. */
    async keyOf(role: KeyRole): Promise<string> {
      const { body } = await asOwner('POST', '/v1/keys', { role, origins: role === 'write' ? ['*'] : [] })
      return body.text
    },
    /** Signs in, and returns the cookie as a browser sends it. */
    async signIn(email = ownerEmail, password = ownerPassword): Promise<string> {
      const { status, headers } = await call('POST', '/v1/session', { body: { email, password } })
      if (status !== 200) throw new Error(`signing in failed: ${status}`)
      return String(headers['set-cookie']).split(';')[0] ?? ''
    },
    async audit() {
      const { body } = await asOwner('GET', '/v1/audit')
      return body.entries as {
        actor: string
        action: string
        subject: string
        address: string | null
        detail: object
      }[]
    },
  }
}
