import { randomBytes } from 'node:crypto'
import { loginRoles } from '@clicktally/system/accounts.ts'
import type { DatabaseAccount } from '@clicktally/system/parts.ts'
import { Client } from 'pg'
import { inject, onTestFinished } from 'vitest'

/** The password of the login roles in tests. The servers listen on loopback and live for one run. */
export const rolePassword = 'only-for-tests'

/** A URL for the owner of the tables, and one for each login role. */
export type TestDatabase = { readonly [account in 'owner' | DatabaseAccount as `${account}Url`]: string }

/** Creates a migrated database, which tests copy. */
export async function makeTemplate(serverUrl: string, migrate: (url: string) => Promise<void>) {
  const name = `clicktally_template_${randomBytes(4).toString('hex')}`
  await onServer(serverUrl, `create database ${name}`)
  await migrate(urlOf(serverUrl, name))
  return { name, drop: () => onServer(serverUrl, `drop database if exists ${name} with (force)`) }
}

/** Creates a database for one test. It is dropped after the test, and kept if the test failed. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { postgresUrl, template } = inject('servers')
  const name = `clicktally_${randomBytes(6).toString('hex')}`
  await onServer(postgresUrl, `create database ${name} template ${template}`)
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(`the database ${name} is kept`)
    else await onServer(postgresUrl, `drop database if exists ${name} with (force)`)
  })
  return {
    ownerUrl: urlOf(postgresUrl, name),
    ...Object.fromEntries(loginRoles.map(({ account, role }) => [`${account}Url`, urlOf(postgresUrl, name, role)])),
  } as TestDatabase
}

async function onServer(serverUrl: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: serverUrl })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

function urlOf(serverUrl: string, database: string, role?: string): string {
  const url = new URL(serverUrl)
  url.pathname = `/${database}`
  if (role !== undefined) {
    url.username = role
    url.password = rolePassword
  }
  return url.href
}
