import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'

const dir = join(import.meta.dirname, 'schema')

interface MigratorOptions {
  /** These, as if there were no others. Default: all. */
  readonly only?: readonly string[]
  /** Called before each migration. */
  readonly onStart?: (name: string) => void
}

/** Runs the numbered files in schema/, each once. A file that was released does not change its effect any more. */
export function createMigrator(db: Kysely<unknown>, { only, onStart }: MigratorOptions = {}): Migrator {
  const provider = {
    async getMigrations() {
      const all = await getMigrations(onStart)
      return only === undefined ? all : Object.fromEntries(only.map((name) => [name, migrationNamed(all, name)]))
    },
  }
  // Work goes on in parallel: a migration with a lower number may be merged later.
  return new Migrator({ db, provider, allowUnorderedMigrations: true })
}

function migrationNamed(all: Record<string, Migration>, name: string): Migration {
  const migration = all[name]
  if (migration === undefined)
    throw new Error(`This version has no migration ${name}: use the version that the backup is from, or a newer one.`)
  return migration
}

async function getMigrations(onStart?: (name: string) => void): Promise<Record<string, Migration>> {
  const files = (await readdir(dir)).filter((file) => /^\d{4}-[\w-]+\.sql$/.test(file)).sort()
  return Object.fromEntries(
    files.map((file): [string, Migration] => {
      const name = file.slice(0, -'.sql'.length)
      const up = (db: Kysely<unknown>) => {
        onStart?.(name)
        return run(db, file)
      }
      return [name, { up }]
    }),
  )
}

/** The comment at the top of a migration. */
export async function notesOf(name: string): Promise<string> {
  const text = await readFile(join(dir, `${name}.sql`), 'utf8')
  const [comment = ''] = /^(?:--.*\n)+/.exec(text) ?? []
  return comment.replace(/^-- ?/gm, '').trim()
}

async function run(db: Kysely<unknown>, file: string): Promise<void> {
  await sql.raw(await readFile(join(dir, file), 'utf8')).execute(db)
}
