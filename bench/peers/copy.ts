import { readFile } from 'node:fs/promises'
import { Client } from 'pg'
import { copyColumns } from '../copy-file.ts'
import { CopyIn } from './copy-in.ts'

// The limit for storing: one COPY of all rows into the table `clicks`, from bytes that lie ready in memory, in one
// transaction over one connection. Nothing is counted, no id is looked up, nothing is acknowledged.
// Settings and result travel as messages: see child-task.ts.

export interface CopySettings {
  readonly databaseUrl: string
  /** As writeCopyFile makes it. */
  readonly path: string
}

export interface CopyResult {
  /** From before the first byte is sent until the commit is answered, connecting and reading the file left out. */
  readonly seconds: number
  /** User and system time of this process in that time. */
  readonly ownCpuSeconds: number
}

process.once('message', async ({ databaseUrl, path }: CopySettings) => {
  const bytes = await readFile(path)
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  const cpuBefore = process.cpuUsage()
  const startedAtMs = performance.now()
  await CopyIn.run(client, `copy clicks (${copyColumns}) from stdin (format binary)`, bytes)
  const seconds = (performance.now() - startedAtMs) / 1_000
  const { user, system } = process.cpuUsage(cpuBefore)
  await client.end()
  process.send?.({ seconds, ownCpuSeconds: (user + system) / 1e6 } satisfies CopyResult)
  process.disconnect()
})
