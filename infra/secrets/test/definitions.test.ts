import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brokerUsers } from '@clicktally/system/accounts.ts'
import { expect, onTestFinished, test } from 'vitest'
import { writeDefinitions } from '../definitions.ts'

test('the definitions of a release are written with passwords from variables, and not without one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'clicktally-definitions-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'definitions.json')
  const env = Object.fromEntries(brokerUsers.map(({ user }) => [`${user.toUpperCase()}_BROKER_PASSWORD`, `of ${user}`]))
  await expect(writeDefinitions(file, { ...env, INGEST_BROKER_PASSWORD: '' })).rejects.toThrow('INGEST_BROKER_PASSWORD')

  await writeDefinitions(file, env)
  const text = readFileSync(file, 'utf8')
  const { users } = JSON.parse(text) as { users: { name: string }[] }
  expect(users.map(({ name }) => name).sort()).toEqual(brokerUsers.map(({ user }) => user).sort())
  expect(text).not.toContain('of ingest')
})
