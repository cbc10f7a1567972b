import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Part, partEntries } from '@clicktally/system/parts.ts'

const script = join(import.meta.dirname, '../store-secrets.sh')
const folder = mkdtempSync(join(tmpdir(), 'clicktally-store-'))
after(() => rmSync(folder, { recursive: true }))
const stored = join(folder, 'clicktally')
mkdirSync(stored)

/** As much of the AWS CLI as the script uses: a file for each secret. */
const aws = `#!/usr/bin/env bash
set -eu
[ "$1 $3" = 'secretsmanager --secret-id' ]
case $2 in
  get-secret-value) [ "$5 $6 $7 $8" = '--query SecretString --output text' ] && cat "${folder}/$4" && echo ;;
  put-secret-value) [ "$5" = --secret-string ] && cp "\${6#file://}" "${folder}/$4" ;;
esac
`
writeFileSync(join(folder, 'aws'), aws, { mode: 0o755 })

const accounts = partEntries.flatMap(([, { account }]: [string, Part]) => account ?? [])
const ours = accounts.filter((account) => !['postgres', 'rabbitmq'].includes(account))
for (const account of ours) writeFileSync(join(stored, account), JSON.stringify({ initial: '{"x$' }))

function store(...args: string[]): { status: number | null; stderr: string } {
  const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` }
  return spawnSync('bash', [script, ...args], { env, encoding: 'utf8' })
}

type Files = Record<string, string>
function everything(): Record<string, Files> {
  return Object.fromEntries(
    readdirSync(stored).map((name) => [name, JSON.parse(readFileSync(join(stored, name), 'utf8'))]),
  )
}

/** Those that differ, as account/file. first-access always does: it has salts. */
function changed(before: Record<string, Files>, now = everything()): string[] {
  const files = Object.entries(now).flatMap(([account, of]) => Object.keys(of).map((file) => [account, file] as const))
  const differ = files.filter(([account, file]) => before[account]?.[file] !== now[account]?.[file])
  return differ.map((names) => names.join('/')).filter((name) => name !== 'auth/first-access')
}

test('secrets are stored once, kept by later runs, and replaced where that was asked for', () => {
  assert.equal(store().status, 0)
  const first = everything()
  assert.deepEqual(Object.keys(first).sort(), ours.sort())
  assert.equal(first.ingest?.initial, undefined)
  assert.equal(first.api?.['database-password'], first.migrate?.['api-password'])

  delete first.ingest?.['broker-password']
  writeFileSync(join(stored, 'ingest'), JSON.stringify(first.ingest))
  assert.equal(store().status, 0)
  assert.deepEqual(changed(first), ['ingest/broker-password'])

  const second = everything()
  assert.equal(store('--rotate', 'api').status, 0)
  assert.deepEqual(changed(second).sort(), ['api/broker-password', 'api/database-password', 'migrate/api-password'])
  assert.equal(everything().api?.['database-password'], everything().migrate?.['api-password'])
})

test('nothing is stored if a secret cannot be read, or an account does not exist', () => {
  const before = everything()
  assert.equal(store('--rotate', 'nobody').status, 2)
  assert.deepEqual(changed(before), [])
  const auth = readFileSync(join(stored, 'auth'))
  rmSync(join(stored, 'auth'))
  assert.notEqual(store().status, 0)
  writeFileSync(join(stored, 'auth'), auth)
  assert.deepEqual(everything(), before)
})
