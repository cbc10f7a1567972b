import { createPool } from '@clicktally/database/pool.ts'
import { loginRoles } from '@clicktally/system/accounts.ts'
import { createOwnPostgres } from '@clicktally/testing/own-postgres.ts'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { migrate } from '../migrate.ts'

const logger = pino({ level: 'silent' })

test('an owner who may only create roles can migrate, as on a managed server, where nobody is a superuser', async () => {
  // A server of its own: roles belong to the server, and only who has created a role may set its password.
  const url = await createOwnPostgres()
  const { password } = new URL(url)
  const poolOf = (address: string) => {
    const pool = createPool({ url: address, name: 'test', logger, maxConnections: 1, statementTimeoutMs: 60_000 })
    onTestFinished(() => pool.end())
    return pool
  }
  const superuser = poolOf(url)
  await superuser.query(`create role managed login createrole password '${password}'`)
  await superuser.query('create database managed owner managed')
  const ownerUrl = Object.assign(new URL(url), { username: 'managed', pathname: '/managed' }).href

  await migrate(ownerUrl, () => password, logger)
  // Again, as at each start.
  await migrate(ownerUrl, () => password, logger)

  for (const { role } of loginRoles) {
    const { rows } = await poolOf(Object.assign(new URL(ownerUrl), { username: role }).href).query(
      'select current_user as name',
    )
    expect(rows).toEqual([{ name: role }])
  }
  const { rows } = await poolOf(ownerUrl).query(`select usesuper from pg_user where usename = current_user`)
  expect(rows).toEqual([{ usesuper: false }])
})
