import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hashKey, parseKey } from '@clicktally/keys/key-text.ts'
import { migrate } from '@clicktally/migrations/migrate.ts'
import type { DatabaseAccount } from '@clicktally/system/parts.ts'
import { Client, type Pool } from 'pg'
import { pino } from 'pino'

/** Stored clicks, and the sum of all counters: equal if the promise holds. */
export interface CountedClicks {
  readonly stored: number
  readonly counted: number
}

/** Where the databases are, and the passwords of their roles. */
export interface DatabaseServer {
  /** For the owner of the databases. */
  readonly postgresUrl: string
  readonly secretsDir: string
}

/** A fresh database on the system's server. */
export interface FreshDatabase {
  /** For the role that owns the tables. */
  readonly ownerUrl: string
  /** For an account, with its role and password. */
  urlFor(account: DatabaseAccount): string
  drop(): Promise<void>
}

/** Creates a database with the system's tables and roles, so that no turn is affected by what another one has stored. */
export async function createFreshDatabase(server: DatabaseServer): Promise<FreshDatabase> {
  const name = `bench_${randomBytes(6).toString('hex')}`
  const ownerUrl = await createDatabase(server.postgresUrl, name)
  // Roles belong to the whole server, so they keep the passwords that the system gave them.
  const password = (account: string) => readSecret(server, `migrate/${account}-password`)
  await migrate(ownerUrl, password, pino({ level: 'silent' }))
  await allowOperator(ownerUrl, readSecret(server, 'operator/owner-key'))
  const urlFor = (account: DatabaseAccount) => {
    const url = new URL(ownerUrl)
    url.username = `clicktally_${account}`
    url.password = encodeURIComponent(readSecret(server, `${account}/database-password`))
    return url.href
  }
  return { ownerUrl, urlFor, drop: () => dropDatabase(server.postgresUrl, name) }
}

/** Adds the operator's key, as services/auth does in the system's own database. */
async function allowOperator(url: string, key: string): Promise<void> {
  const values = [parseKey(key)?.id, Buffer.from(hashKey(key), 'base64url')]
  await withClient(url, (client) =>
    client.query(
      `insert into keys (id, project_id, role, label, hash) values ($1, 1, 'owner', 'operator', $2)`,
      values,
    ),
  )
}

/** Resolves with the URL of the new database. */
export async function createDatabase(serverUrl: string, name: string): Promise<string> {
  await withClient(serverUrl, (client) => client.query(`create database ${name}`))
  return Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href
}

export async function dropDatabase(serverUrl: string, name: string): Promise<void> {
  await withClient(serverUrl, (client) => client.query(`drop database if exists ${name} with (force)`))
}

/** Uses a connection that is opened for this call. */
export async function withClient<Result>(url: string, act: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {})
  await client.connect()
  try {
    return await act(client)
  } finally {
    await client.end()
  }
}

export async function readCountedClicks(client: Client | Pool): Promise<CountedClicks> {
  const { rows } = await client.query<CountedClicks>(
    `select (select count(*) from clicks)::float8 as stored,
            (select coalesce(sum(total + bots), 0) from counters)::float8 as counted`,
  )
  return rows[0] ?? { stored: Number.NaN, counted: Number.NaN }
}

/** Returns why the figures are void; undefined if every click was stored and counted exactly once. */
export function voidReason(what: string, sent: number, { stored, counted }: CountedClicks): string | undefined {
  if (stored === sent && counted === sent) return undefined
  return `${what}: ${sent} distinct clicks were sent, ${stored} are stored, and the counters add up to ${counted}`
}

export function readSecret({ secretsDir }: Pick<DatabaseServer, 'secretsDir'>, path: string): string {
  return readFileSync(join(secretsDir, path), 'utf8')
}
