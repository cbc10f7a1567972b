import { randomBytes } from 'node:crypto'
import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import type { FirstAccess } from '@clicktally/keys/first-access.ts'
import { makeKey } from '@clicktally/keys/key-text.ts'
import { hashPassword } from '@clicktally/keys/password.ts'
import { createTestBroker, type TestBroker } from '@clicktally/testing/test-broker.ts'
import { createTestDatabase, type TestDatabase } from '@clicktally/testing/test-database.ts'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { startGateway } from './gateway.ts'
import { type Service, startService } from './service.ts'

/** What a cell needs of its broker. */
export type CellBroker = Pick<TestBroker, 'url' | 'urlAs'>

/** A queue, a database and a processor. */
export interface CellUnderTest<Broker extends CellBroker = TestBroker> {
  readonly broker: Broker
  readonly database: TestDatabase
  readonly startProcessor: () => Promise<Service>
  /** Queries as the owner of the tables. */
  ask<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>
  /** The clicks stored of a project, and the sum of its counters: equal, or something is counted twice or not at all. */
  tally(projectId: number): Promise<{ readonly ids: ReadonlySet<string>; readonly counted: number }>
}

/** What a request answered. */
export interface Answer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: the tests assert the types of the body
  readonly body: any
}

/** The services of an installation, as real processes, and the cell `home`. It has no processor yet. */
export interface Installation {
  readonly home: CellUnderTest
  readonly ingest: Service
  readonly auth: Service
  readonly api: Service
  /** Starts another ingest. @param variables besides those of the first one */
  startIngest(variables?: Record<string, string>): Promise<Service>
  readonly ownerKey: string
  /** Starts an HTTP server in front of auth and api, as nginx is. @returns its URL */
  gateway(): Promise<string>
  /** As the owner. */
  manage(method: string, path: string, body?: object): Promise<Answer>
  read(path: string): Promise<Answer>
  /** @returns the text of a new key of the project */
  keyOf(project: string): Promise<string>
}

/** @param more variables of the services */
export async function createInstallation(
  more: Partial<Record<'ingest' | 'auth' | 'api', Record<string, string>>> = {},
): Promise<Installation> {
  const home = await createCell(await createTestBroker())
  const owner = makeKey('owner')
  const firstAccess: FirstAccess = {
    operator: { id: owner.id, hash: owner.hash },
    keys: [],
    owner: { email: 'owner@localhost', passwordHash: await hashPassword(randomBytes(12).toString('hex')) },
  }
  const startIngest: Installation['startIngest'] = async (variables) =>
    await startService('ingest', { BROKER_URL: await home.broker.urlAs('ingest'), ...more.ingest, ...variables })
  const [auth, api, ingest] = await Promise.all([
    startService('auth', {
      BROKER_URL: await home.broker.urlAs('auth'),
      DATABASE_URL: home.database.authUrl,
      FIRST_ACCESS: JSON.stringify(firstAccess),
      ...more.auth,
    }),
    startService('api', {
      BROKER_URL: await home.broker.urlAs('api'),
      DATABASE_URL: home.database.apiUrl,
      ...more.api,
    }),
    startIngest(),
  ])
  await Promise.all([auth, api, ingest].map((service) => service.untilReady()))
  const call = async (service: Service, method: string, path: string, body?: object): Promise<Answer> => {
    const response = await fetch(service.url + path, {
      method,
      headers: { authorization: `Bearer ${owner.text}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    return { status: response.status, body: await response.json() }
  }
  return {
    ...{ home, ingest, auth, api, startIngest, ownerKey: owner.text },
    gateway: () => startGateway(auth.url, api.url),
    manage: (method, path, body) => call(auth, method, path, body),
    read: (path) => call(api, 'GET', path),
    async keyOf(project) {
      const { status, body } = await call(auth, 'POST', '/v1/keys', { project, role: 'secret' })
      if (status !== 201) throw new Error(`no key for ${project}: ${JSON.stringify(body)}`)
      return body.text as string
    },
  }
}

/** An installation with a second cell, `eu`, whose broker this is. */
export async function createCells<Broker extends CellBroker>(
  broker: Broker,
): Promise<Installation & { readonly eu: CellUnderTest<Broker> }> {
  const eu = await createCell(broker)
  const { database } = eu
  const installation = await createInstallation({
    ingest: { CELL_BROKER_URLS: `eu=${await broker.urlAs('ingest')}` },
    auth: { CELL_DATABASE_URLS: `eu=${database.authUrl}` },
    api: { CELL_BROKER_URLS: `eu=${await broker.urlAs('api')}`, CELL_DATABASE_URLS: `eu=${database.apiUrl}` },
  })
  return { ...installation, eu }
}

async function createCell<Broker extends CellBroker>(broker: Broker): Promise<CellUnderTest<Broker>> {
  const database = await createTestDatabase()
  const logger = pino({ level: 'silent' })
  const pool = createPool({
    ...{ url: database.ownerUrl, name: 'test', logger },
    ...{ maxConnections: 2, statementTimeoutMs: 60_000 },
  })
  const db = createDatabase(pool)
  onTestFinished(() => db.destroy())
  return {
    ...{ broker, database },
    startProcessor: async () =>
      await startService('processor', {
        BROKER_URL: await broker.urlAs('processor'),
        DATABASE_URL: database.processorUrl,
      }),
    ask: async (text, values) => (await pool.query(text, values)).rows,
    async tally(projectId) {
      const clicks = await db.selectFrom('clicks').select('id').where('project_id', '=', projectId).execute()
      const counters = await db
        .selectFrom('counters')
        .select(({ fn, ref }) => [
          fn.sum<number | null>(ref('total')).as('total'),
          fn.sum<number | null>(ref('bots')).as('bots'),
        ])
        .where('project_id', '=', projectId)
        .executeTakeFirst()
      return {
        ids: new Set(clicks.map(({ id }) => id)),
        counted: Number(counters?.total ?? 0) + Number(counters?.bots ?? 0),
      }
    },
  }
}
