import { createHash } from 'node:crypto'
import { globSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type Kysely, sql } from 'kysely'

const dir = join(import.meta.dirname, 'functions')

/**
 * Creates or replaces the stored functions whose file in functions/ has changed, by its checksum in `applied_functions`.
 * Must run in a transaction, after the numbered migrations.
 *
 * A numbered migration has to drop a function that is removed, or whose argument or result types change.
 *
 * @returns the names of the applied functions
 * @throws the database error, naming the function
 */
export async function applyFunctions(db: Kysely<unknown>): Promise<string[]> {
  // The files are in no order: a body may call a function that does not exist yet.
  await sql`set local check_function_bodies = off`.execute(db)
  const applied: string[] = []
  for (const { name, source, checksum } of await changedFunctions(db)) {
    try {
      await sql.raw(source).execute(db)
    } catch (error) {
      throw new Error(`The function ${name} could not be created.`, { cause: error })
    }
    await sql`
      insert into applied_functions (name, checksum) values (${name}, ${checksum})
      on conflict (name) do update set checksum = excluded.checksum`.execute(db)
    applied.push(name)
  }
  return applied
}

interface ChangedFunction {
  readonly name: string
  readonly source: string
  /** SHA-256 of the source. */
  readonly checksum: string
}

/** The functions that this version has and the database does not, or has differently. */
export async function changedFunctions(db: Kysely<unknown>): Promise<ChangedFunction[]> {
  const table = await sql<{ exists: boolean }>`select to_regclass('applied_functions') is not null as exists`.execute(
    db,
  )
  const { rows } = table.rows[0]?.exists
    ? await sql<{ name: string; checksum: string }>`select name, checksum from applied_functions`.execute(db)
    : { rows: [] }
  const checksums = new Map(rows.map(({ name, checksum }) => [name, checksum]))
  const all = globSync('*/*.sql', { cwd: dir })
    .sort()
    .map(async (file): Promise<ChangedFunction> => {
      const source = await readFile(join(dir, file), 'utf8')
      return { name: basename(file, '.sql'), source, checksum: createHash('sha256').update(source).digest('hex') }
    })
  return (await Promise.all(all)).filter(({ name, checksum }) => checksums.get(name) !== checksum)
}
