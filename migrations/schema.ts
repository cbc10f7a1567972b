import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'

const dir = join(import.meta.dirname, 'schema')

/** Runs the numbered files in schema/, each once. A file that was released does not change its effect any more. */
export function createMigrator(db: Kysely<unknown>): Migrator {
  return new Migrator({ db, provider: { getMigrations } })
}

async function getMigrations(): Promise<Record<string, Migration>> {
  const files = (await readdir(dir)).filter((file) => /^\d{4}-[\w-]+\.sql$/.test(file)).sort()
  return Object.fromEntries(files.map((file) => [file.slice(0, -'.sql'.length), { up: (db) => run(db, file) }]))
}

async function run(db: Kysely<unknown>, file: string): Promise<void> {
  await sql.raw(await readFile(join(dir, file), 'utf8')).execute(db)
}
