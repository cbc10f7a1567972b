import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Where a running system listens, for the operators' command line (cli/system/local-run.ts). No secrets. */
export interface SystemFile {
  readonly baseUrl: string
  readonly postgresPort: number
  readonly amqpPort: number
  readonly managementPort: number
}

const fileName = 'system.json'

/** Atomic: nobody reads half a file. */
export function writeSystemFile(dir: string, system: SystemFile): void {
  const path = join(dir, fileName)
  writeFileSync(`${path}.tmp`, `${JSON.stringify(system, null, 2)}\n`)
  renameSync(`${path}.tmp`, path)
}

export function removeSystemFile(dir: string): void {
  rmSync(join(dir, fileName), { force: true })
}
