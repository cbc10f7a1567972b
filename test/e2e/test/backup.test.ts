import { execFile } from 'node:child_process'
import { appendFile, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { type System, startSystem } from '@clicktally/local/system.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'

const main = join(import.meta.dirname, '../../../cli/main.ts')
const run = promisify(execFile)
let dir: string
let backup: string

const start = (name: string, restore?: string) =>
  startSystem({ dir: join(dir, name), port: 0, ingests: 1, processors: 1, onLine: () => {}, restore })

async function json<Answer>(system: System, path: string): Promise<Answer> {
  const response = await fetch(new URL(path, system.baseUrl), {
    headers: { authorization: `Bearer ${system.ownerKey}` },
  })
  expect([path, response.status]).toEqual([path, 200])
  return (await response.json()) as Answer
}

async function send(system: System, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent += 1) {
    const { status } = await fetch(new URL('/v1/events', system.baseUrl), {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${system.ownerKey}` },
      body: JSON.stringify({ target: `button-${sent % 3}`, visitorId: `visitor ${sent}` }),
    })
    expect(status).toBe(202)
  }
}

const counted = async (system: System) => (await json<{ total: number }>(system, '/v1/counts')).total

const untilCounted = (system: System, total: number) =>
  vi.waitFor(async () => expect(await counted(system)).toBe(total), patience)

/** Without what depends on the time of the answer. */
async function answers(system: System): Promise<unknown[]> {
  const paths = ['/v1/counts', '/v1/counts/top', '/v1/balance', '/v1/projects', '/v1/users']
  return await Promise.all(
    paths.map(async (path) => {
      const {
        meta: _,
        status: _status,
        knownThrough: _known,
        ...answer
      } = await json<Record<string, unknown>>(system, path)
      return answer
    }),
  )
}

async function cli(system: System, ...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [main, ...args], {
    env: {
      CLICKTALLY_OWNER_DATABASE_URL: system.postgresUrl,
      CLICKTALLY_DATABASE_URL: system.postgresUrl,
      CLICKTALLY_SECRETS_DIR: system.secretsDir,
      HOME: dir,
    },
  })
  return stdout
}

beforeAll(async () => {
  dir = await makeScratchFolder('backup')
  backup = join(dir, 'backup')
})

afterAll(async () => {
  await rm(dir, { recursive: true, force: true })
})

describe('a backup of a running system', () => {
  test('makes an equal one in an empty folder; beside a broker that was kept, its clicks are counted and the others are missed', async () => {
    const system = await start('first')
    let before: unknown[]
    try {
      await send(system, 20)
      await untilCounted(system, 20)
      before = await answers(system)
      expect(await cli(system, 'backup', backup)).toContain('rows as of')
      await expect(cli(system, 'backup', backup)).rejects.toThrow('exists already')
      await send(system, 3)
      await untilCounted(system, 23)
      await system.services.get('processor-1')?.program.stop()
      // Accepted, and in the broker alone.
      await send(system, 5)
    } finally {
      await system.stop()
    }

    const second = await start('second', backup)
    try {
      expect(second.ownerKey).toBe(system.ownerKey)
      await vi.waitFor(async () => expect(await answers(second)).toEqual(before), patience)
      expect(await cli(second, 'verify')).toContain('no difference')
      await send(second, 2)
      await untilCounted(second, 22)
    } finally {
      await second.stop()
    }

    await rm(join(dir, 'first/data/postgres'), { recursive: true })
    const again = await start('first', backup)
    try {
      await untilCounted(again, 25)
      // The messages in the broker tell of three clicks that were confirmed before them.
      await vi.waitFor(async () => {
        expect(await json(again, '/v1/balance')).toMatchObject({ accepted: 28, counted: 25, inFlight: 3 })
      }, patience)
    } finally {
      await again.stop()
    }
  })

  test('is not restored over a database, and not if a file of it was changed', async () => {
    await expect(start('second', backup)).rejects.toThrow('Move the old one away')
    const { tables } = JSON.parse(await readFile(join(backup, 'manifest.json'), 'utf8'))
    await appendFile(join(backup, tables[0].file), ' ')
    await expect(start('third', backup)).rejects.toThrow(`${tables[0].file} does not have the SHA-256`)
    await expect(start('third', join(dir, 'nothing'))).rejects.toThrow('has no complete backup')
  })
})
