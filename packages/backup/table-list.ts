import type { ClientBase } from 'pg'

/** Kept by migrations, which run before and after the rows are loaded. */
const notBackedUp = ['kysely_migration', 'kysely_migration_lock', 'applied_functions']

export interface TableToCopy {
  readonly name: string
  /** Those that are not generated. */
  readonly columns: string[]
}

/** All tables with rows, each after those that it references. Partitions of clicks instead of clicks itself. */
export async function tablesToCopy(client: ClientBase): Promise<TableToCopy[]> {
  const { rows } = await client.query<TableToCopy & { needs: string[] }>(
    `select relname as name,
       array(select attname::text from pg_attribute
         where attrelid = pg_class.oid and attnum > 0 and not attisdropped and attgenerated = '' order by attnum) as columns,
       array(select confrelid::regclass::text from pg_constraint
         where conrelid = pg_class.oid and contype = 'f' and confrelid <> conrelid) as needs
     from pg_class
     where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> all ($1) order by relname`,
    [notBackedUp],
  )
  const sorted: TableToCopy[] = []
  for (let left = rows; left.length > 0; ) {
    const ready = left.filter(({ needs }) => needs.every((need) => sorted.some(({ name }) => name === need)))
    if (ready.length === 0) throw new Error(`tables reference each other: ${left.map(({ name }) => name).join(', ')}`)
    // A change of the others increments it, by a trigger.
    const last = ({ name }: TableToCopy) => Number(name === 'key_version')
    sorted.push(...ready.map(({ name, columns }) => ({ name, columns })))
    left = left.filter((table) => !ready.includes(table))
    if (left.length === 0) sorted.sort((one, other) => last(one) - last(other))
  }
  return sorted
}
