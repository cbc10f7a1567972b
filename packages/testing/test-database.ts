import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { inject, onTestFinished } from 'vitest'

/** The password of the login roles in tests: the servers listen on loopback and live for one run. */
export const rolePassword = 'only-for-tests'

export interface TestDatabase {
  /** For the role that owns the tables. */
  readonly ownerUrl: string
  readonly processorUrl: string
  readonly apiUrl: string
  readonly operatorUrl: string
}

/** A migrated database to copy from. */
export async function makeTemplate(serverUrl: string, migrate: (url: string) => Promise<void>) {
  const name = `clicktally_template_${randomBytes(4).toString('hex')}`
  await onServer(serverUrl, `create database ${name}`)
  await migrate(urlOf(serverUrl, name))
  return { name, drop: () => onServer(serverUrl, `drop database if exists ${name} with (force)`) }
}

/** A database of the test's own, dropped when the test has passed and kept when it has failed. */
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
    processorUrl: urlOf(postgresUrl, name, 'clicktally_processor'),
    apiUrl: urlOf(postgresUrl, name, 'clicktally_api'),
    operatorUrl: urlOf(postgresUrl, name, 'clicktally_operator'),
  }
}

async function onServer(serverUrl: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: serverUrl })
  await client.connect()
  try {
    // Copies of one template can't be made at the same time, and test files run side by side.
    await client.query(`select pg_advisory_lock(hashtext('clicktally tests'))`)
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
