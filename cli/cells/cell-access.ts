import { homeCell } from '@clicktally/system/cells.ts'
import type { CliContext } from '../cli-context.ts'
import { usageError } from '../cli-error.ts'
import { findSystem } from '../system/system-access.ts'

/** Where a cell can be reached, as its operator. */
export interface CellAccess {
  readonly name: string
  readonly databaseUrl: string
  readonly brokerUrl: string
}

/**
 * Finds all cells: the home cell as every command does, the others by CLICKTALLY_CELL_DATABASE_URLS and CLICKTALLY_CELL_BROKER_URLS.
 *
 * @returns by name
 * @throws {CliError}
 */
export async function findCells(context: CliContext): Promise<ReadonlyMap<string, CellAccess>> {
  const { cellDatabaseUrls, cellBrokerUrls } = context.config
  const home = await findSystem(context, ['databaseUrl', 'brokerUrl'])
  const others = Array.from(cellDatabaseUrls, ([name, databaseUrl]): [string, CellAccess] => {
    const brokerUrl = cellBrokerUrls.get(name)
    if (brokerUrl === undefined) throw usageError(`CLICKTALLY_CELL_BROKER_URLS lacks the cell "${name}".`)
    return [name, { name, databaseUrl, brokerUrl }]
  })
  return new Map([[homeCell, { name: homeCell, ...home }], ...others])
}
