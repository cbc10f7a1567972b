import { readFile } from 'node:fs/promises'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { CliError } from '../cli-error.ts'
import { databaseProblem, withDatabase } from '../system/database.ts'

test('a partition that is gone is no sign of wrong migrations, and a table is', async () => {
  const { operatorUrl } = await createTestDatabase()
  const read = (table: string) => withDatabase(operatorUrl, (db) => sql`select from ${sql.table(table)}`.execute(db))
  await expect(read('clicks_19700101')).rejects.toThrow('its partition clicks_19700101 was removed meanwhile')
  await expect(read('clicks_19700101')).rejects.toThrow(CliError)
  await expect(read('counts')).rejects.toThrow('its migrations are older or newer')
})

test('errors of connections are those of the database, and errors of files are not', async () => {
  const url = 'postgres://localhost:1/clicktally'
  await expect(withDatabase(url, (db) => sql`select`.execute(db))).rejects.toThrow('cannot be reached')
  const ofFile = await readFile('/').catch((error: unknown) => error)
  expect(ofFile).toMatchObject({ code: 'EISDIR' })
  for (const code of ['EACCES', 'ENOENT', 'ENOSPC', 'EIO'])
    expect(databaseProblem(Object.assign(new Error(code), { code, syscall: 'open' }), url)).toBeUndefined()
  expect(databaseProblem(ofFile, url)).toBeUndefined()
  for (const code of ['ECONNRESET', 'ENOTFOUND', 'ETIMEDOUT', 'EAI_AGAIN', 'EPIPE'])
    expect(databaseProblem(Object.assign(new Error(code), { code, syscall: 'read' }), url)).toBeInstanceOf(CliError)
})
