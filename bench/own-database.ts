import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { migrate } from '@clicktally/migrations/migrate.ts'
import { Client } from 'pg'
import { pino } from 'pino'

/** A database beside the system's, on the same server, with the same tables and roles. */
export interface OwnDatabase {
  /** For the role that owns the tables. */
  readonly ownerUrl: string
  /** For one of the services, with its password. */
  urlFor(service: 'processor' | 'api'): string
  drop(): Promise<void>
}

/** Makes databases for those who are compared, each fresh: what one has stored is in nobody's way. */
export class OwnDatabases {
  readonly #serverUrl: string
  readonly #secretsDir: string
  readonly #template: string

  private constructor(serverUrl: string, secretsDir: string, template: string) {
    this.#serverUrl = serverUrl
    this.#secretsDir = secretsDir
    this.#template = template
  }

  /** Migrates a template, from which the databases are copied. */
  static async open({ postgresUrl, secretsDir }: { postgresUrl: string; secretsDir: string }): Promise<OwnDatabases> {
    const template = `bench_template_${randomBytes(4).toString('hex')}`
    const databases = new OwnDatabases(postgresUrl, secretsDir, template)
    await databases.#onServer(`create database ${template}`)
    try {
      // Roles belong to the whole server: they keep the passwords that the system gave them.
      const [processor, api, operator] = ['processor', 'api', 'operator'].map((role) =>
        databases.#secret(`migrate/${role}-password`),
      ) as [string, string, string]
      await migrate(databases.#url(template), { processor, api, operator }, pino({ level: 'silent' }))
    } catch (error) {
      await databases.close()
      throw error
    }
    return databases
  }

  async create(): Promise<OwnDatabase> {
    const name = `bench_${randomBytes(6).toString('hex')}`
    await this.#onServer(`create database ${name} template ${this.#template}`)
    return {
      ownerUrl: this.#url(name),
      urlFor: (service) => {
        const url = new URL(this.#url(name))
        url.username = `clicktally_${service}`
        url.password = encodeURIComponent(this.#secret(`${service}/database-password`))
        return url.href
      },
      drop: () => this.#onServer(`drop database if exists ${name} with (force)`),
    }
  }

  /** Drops the template; the databases must have been dropped by whoever made them. */
  async close(): Promise<void> {
    await this.#onServer(`drop database if exists ${this.#template} with (force)`)
  }

  #secret(path: string): string {
    return readFileSync(join(this.#secretsDir, path), 'utf8')
  }

  #url(database: string): string {
    const url = new URL(this.#serverUrl)
    url.pathname = `/${database}`
    return url.href
  }

  async #onServer(statement: string): Promise<void> {
    await withClient(this.#serverUrl, (client) => client.query(statement))
  }
}

/** Does something over a connection made for it. */
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
