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
  const { rows } = await sql<{ name: string; checksum: string }>`select name, checksum from applied_functions`.execute(
    db,
  )
  const checksums = new Map(rows.map(({ name, checksum }) => [name, checksum]))
  const applied: string[] = []
  for (const file of globSync('*/*.sql', { cwd: dir }).sort()) {
    const name = basename(file, '.sql')
    const source = await readFile(join(dir, file), 'utf8')
    const checksum = createHash('sha256').update(source).digest('hex')
    if (checksums.get(name) === checksum) continue
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
