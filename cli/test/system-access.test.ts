import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeSystemFile, writeSystemFile } from '@clicktally/local/files/system-file.ts'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { CliContext } from '../cli-context.ts'
import { readConfig } from '../config.ts'
import { operatorKeyOf } from '../system/http-access.ts'
import { findSystem } from '../system/system-access.ts'

async function makeFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'clicktally-cli-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

function contextWith(variables: Record<string, string>): CliContext {
  return { config: readConfig(variables) } as unknown as CliContext
}

/** A folder as it is while `npm start` runs. */
async function makeLocalRun(): Promise<string> {
  const dir = await makeFolder()
  await mkdir(join(dir, '.local/secrets/operator'), { recursive: true })
  await writeFile(join(dir, '.local/secrets/operator/database-password'), 'of the/database\n')
  await writeFile(join(dir, '.local/secrets/operator/broker-password'), 'of-the-broker')
  await writeFile(join(dir, '.local/secrets/operator/owner-key'), 'ct_o_key\n')
  writeSystemFile(join(dir, '.local'), {
    baseUrl: 'http://127.0.0.1:8080',
    postgresPort: 1001,
    amqpPort: 1002,
    managementPort: 1003,
  })
  return dir
}

describe('finding the system', () => {
  test('uses the variables, with the default port of the management API', async () => {
    const variables = {
      CLICKTALLY_DATABASE_URL: 'postgres://clicktally_operator@db/clicktally',
      CLICKTALLY_DATABASE_PASSWORD: 'secret',
      CLICKTALLY_BROKER_URL: 'amqp://operator:secret@mq:5673',
    }
    const access = await findSystem(contextWith(variables), ['databaseUrl', 'brokerUrl', 'managementUrl'])
    expect(access).toEqual({
      databaseUrl: 'postgres://clicktally_operator:secret@db/clicktally',
      brokerUrl: 'amqp://operator:secret@mq:5673',
      managementUrl: 'http://mq:15672',
    })
  })

  test('uses the system started by npm start', async () => {
    const dir = await makeLocalRun()
    expect(await findSystem(contextWith({}), ['databaseUrl'], dir)).toEqual({
      databaseUrl: 'postgres://clicktally_operator:of%20the%2Fdatabase@127.0.0.1:1001/clicktally',
      brokerUrl: 'amqp://operator:of-the-broker@127.0.0.1:1002',
      managementUrl: 'http://127.0.0.1:1003',
      baseUrl: 'http://127.0.0.1:8080',
      key: 'ct_o_key',
    })
  })

  test("with the operator's key for its own address, and for no other", async () => {
    const dir = await makeLocalRun()
    for (const url of ['http://127.0.0.1:8080/', 'http://localhost:8080/x']) {
      expect(await operatorKeyOf(new URL(url), dir)).toBe('ct_o_key')
    }
    for (const url of ['http://127.0.0.1:9/', 'http://counts.example:8080/', 'https://counts.example/']) {
      expect(await operatorKeyOf(new URL(url), dir)).toBeUndefined()
    }
  })

  test('never combines variables with another source', async () => {
    const dir = await makeLocalRun()
    const context = contextWith({ CLICKTALLY_DATABASE_URL: 'postgres://clicktally_operator@db/clicktally' })
    await expect(findSystem(context, ['databaseUrl', 'brokerUrl', 'managementUrl'], dir)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining(
        'but not CLICKTALLY_BROKER_URL, CLICKTALLY_MANAGEMENT_URL, which this command needs',
      ),
    })
  })

  test('fails after npm start has ended, and says what to do', async () => {
    const dir = await makeLocalRun()
    removeSystemFile(join(dir, '.local'))
    await expect(findSystem(contextWith({}), ['databaseUrl'], dir)).rejects.toMatchObject({
      exitCode: 1,
      message: expect.stringMatching(
        /No running Clicktally was found.*npm start.*docker compose.*CLICKTALLY_DATABASE_URL/s,
      ),
    })
  })
})

describe('invalid variables', () => {
  test('are all reported at once', () => {
    const variables = {
      CLICKTALLY_DATABASE_URL: 'mysql://db',
      CLICKTALLY_BROKER_PASSWORD: 'secret',
      CLICKTALLY_URL: 'clicks.example',
    }
    expect(() => readConfig(variables)).toThrow(
      /CLICKTALLY_DATABASE_URL must be.*CLICKTALLY_BROKER_PASSWORD is set, but CLICKTALLY_BROKER_URL is not.*CLICKTALLY_URL must be/s,
    )
  })
})
