import { execFile } from 'node:child_process'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readLocalRun } from '@clicktally/cli/local-run.ts'
import { randomUuidV7 } from '@clicktally/contract/uuid-v7.ts'
import { runDemo } from '@clicktally/demo/demo.ts'
import { doorForLoadTests } from '@clicktally/local/door-settings.ts'
import { rabbitmqctl } from '@clicktally/local/rabbitmq.ts'
import { makeScratchFolder } from '@clicktally/local/scratch-folder.ts'
import { type System, startSystem } from '@clicktally/local/system.ts'
import { type Channel, connect } from 'amqplib'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { ClickLoad } from '../click-load.ts'

const patience = { timeout: 120_000, interval: 100 }
/** As a token of somebody else's in the environment of who starts this. */
const foreignToken = 'token-of-another-system'
let dir: string
let system: System
const lines: string[] = []

beforeAll(async () => {
  dir = await makeScratchFolder('e2e')
  process.env.DEPLOY_TOKEN = foreignToken
  system = await start()
})

afterAll(async () => {
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

function start(): Promise<System> {
  return startSystem({
    dir,
    port: 0,
    ingests: 2,
    processors: 2,
    door: doorForLoadTests,
    onLine: (line) => lines.push(line),
    variables: { LOG_LEVEL: 'debug' },
  })
}

async function get(path: string) {
  const response = await fetch(new URL(path, system.baseUrl))
  return { status: response.status, type: response.headers.get('content-type'), body: await response.text() }
}

function post(path: string, body: string, headers: Record<string, string> = {}) {
  return fetch(new URL(path, system.baseUrl), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  })
}

async function totalOf(target: string): Promise<number> {
  return JSON.parse((await get(`/v1/counts?target=${target}`)).body).total
}

/** What the tables hold of a target: ids stored, and the sum of its counters. */
async function stored(target: string): Promise<{ ids: Set<string>; counted: number }> {
  const client = new Client({ connectionString: system.postgresUrl })
  await client.connect()
  try {
    const { rows } = await client.query<{ id: string }>('select id from clicks where target = $1', [target])
    const sum = await client.query<{ counted: string }>(
      'select coalesce(sum(total + bots), 0) as counted from counters where target = $1',
      [target],
    )
    return { ids: new Set(rows.map(({ id }) => id)), counted: Number(sum.rows[0]?.counted) }
  } finally {
    await client.end()
  }
}

function service(name: string) {
  const found = system.services.get(name)
  if (found === undefined) throw new Error(`there is no ${name}`)
  return found.program
}

describe('the system', () => {
  test('a click is accepted, counted, and has a receipt', async () => {
    const response = await post('/v1/events', '{"target":"first","visitorId":"me"}')
    expect(response.status).toBe(202)
    const { id, status } = (await response.json()) as { id: string; status: string }
    expect(status).toBe('accepted')
    await vi.waitFor(async () => expect(await totalOf('first')).toBe(1), patience)
    expect(JSON.parse((await get(`/v1/events/${id}`)).body)).toMatchObject({ id, status: 'counted', target: 'first' })
  })

  test('only what is public passes nginx', async () => {
    for (const path of ['/livez', '/readyz', '/metrics', '/nothing', '/v1/events/batch/x', '/v1']) {
      const { status, type } = await get(path)
      expect([path, status, type]).toEqual([path, 404, 'application/problem+json'])
    }
    expect((await get('/openapi.json')).status).toBe(200)
    expect((await get('/docs/')).status).toBe(200)
  })

  test('a body that is too large for nginx is refused in the same form', async () => {
    const response = await post('/v1/events', 'x'.repeat(2 * 1024 * 1024))
    expect([response.status, response.headers.get('content-type')]).toEqual([413, 'application/problem+json'])
    expect(await response.json()).toMatchObject({ code: 'body_too_large', retryable: false })
  })

  test("the request id goes with the click into the processor's log", async () => {
    const id = randomUuidV7(Date.now())
    await post('/v1/events', JSON.stringify({ id, target: 'traced' }))
    await vi.waitFor(async () => expect(await totalOf('traced')).toBe(1), patience)
    const logs = await Promise.all([1, 2].map((n) => readFile(join(system.logsDir, `processor-${n}.log`), 'utf8')))
    const batches = logs
      .join('')
      .split('\n')
      .filter((line) => line.includes('clicks counted'))
    expect(batches.some((line) => /"requests":\{"[0-9a-f]{32}":1\}/.test(line))).toBe(true)
  })

  test('the same click sent five times at once through two ingests is counted once', async () => {
    const body = JSON.stringify({ id: randomUuidV7(Date.now()), target: 'five-times' })
    const answers = await Promise.all(Array.from({ length: 5 }, () => post('/v1/events', body)))
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202])
    await vi.waitFor(async () => expect(await totalOf('five-times')).toBe(1), patience)
    await post('/v1/events', body)
    const sentAtMs = Date.now()
    // Once the answer itself says that all accepted before now is in it, nothing can be added any more.
    await vi.waitFor(async () => {
      const { total, meta } = JSON.parse((await get('/v1/counts?target=five-times')).body)
      expect(Date.parse(meta.asOf)).toBeGreaterThan(sentAtMs)
      expect(total).toBe(1)
    }, patience)
  })

  test.runIf(process.platform === 'linux')(
    'no server and no service gets what the launcher has in its environment',
    async () => {
      for (const [name, { program }] of system.services) {
        const environment = await readFile(`/proc/${program.pid}/environ`, 'utf8')
        // nginx writes its title over it.
        if (name !== 'nginx') expect(environment, name).toMatch(/(^|\0)PATH=/)
        expect(environment, name).not.toContain(foreignToken)
      }
    },
  )

  test.runIf(process.platform === 'linux')('the cookie of Erlang is on no command line', async () => {
    const cookie = await readFile(join(system.secretsDir, 'rabbitmq/erlang-cookie'), 'utf8')
    // 256 bits in base64url; it is the one that is used, for without it there is no way in.
    expect(cookie).toMatch(/^[\w-]{43}$/)
    expect(await rabbitmqctl(service('rabbitmq'), ['eval', 'erlang:get_cookie().'])).toContain(cookie)
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      // One that has ended meanwhile has none.
      const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      expect(commandLine).not.toContain(cookie)
    }
  })

  test('ingest has no right at the broker but to publish clicks', async () => {
    const url = new URL(system.amqpUrl)
    url.username = 'ingest'
    url.password = await readFile(join(system.secretsDir, 'ingest/broker-password'), 'utf8')
    const connection = await connect(url.href)
    try {
      for (const queue of ['clicks', 'clicks.dead']) {
        for (const act of [
          (channel: Channel) => channel.consume(queue, () => {}),
          (channel: Channel) => channel.deleteQueue(queue),
        ]) {
          const channel = await connection.createChannel()
          channel.on('error', () => {})
          await expect(act(channel)).rejects.toThrow(/ACCESS_REFUSED/)
        }
      }
    } finally {
      await connection.close()
    }
  })

  test('the demo is equal to the click while processors are killed', async () => {
    const killing = new AbortController()
    const killer = (async () => {
      for (let kill = 0; !killing.signal.aborted; kill += 1) {
        service(`processor-${1 + (kill % 2)}`).signal('SIGKILL')
        await new Promise((resolve) => setTimeout(resolve, 700))
      }
    })()
    const demo = runDemo({ url: `${system.baseUrl}/`, clicks: 20_000, seed: 7, stateDir: '/nonexistent', once: true })
    await Promise.race([demo, new Promise((resolve) => setTimeout(resolve, 5_000))])
    killing.abort()
    await killer
    const { equal, comparison } = await demo
    expect(equal, JSON.stringify(comparison).slice(0, 2_000)).toBe(true)
    expect(service('processor-1').restarts + service('processor-2').restarts).toBeGreaterThan(0)
  })

  test.each(['ingest-1', 'processor-1', 'api', 'ingest-2', 'processor-2'])(
    'SIGTERM to %s under load fails no request and loses no click',
    async (name) => {
      const target = `term-${name}`
      const { pid } = service(name)
      const load = new ClickLoad({ doors: [system.baseUrl], targets: [target] })
      await vi.waitFor(() => expect(load.accepted).toBeGreaterThan(200), patience)
      service(name).signal('SIGTERM')
      await vi.waitFor(() => expect(service(name).pid).not.toBe(pid), patience)
      const before = load.accepted
      await vi.waitFor(() => expect(load.accepted).toBeGreaterThan(before + 200), patience)
      const { answers, accepted } = await load.stop()
      expect(Object.keys(answers)).toEqual(['202'])
      await vi.waitFor(async () => {
        const { ids, counted } = await stored(target)
        expect([ids.size, counted]).toEqual([accepted.size, accepted.size])
        expect(accepted.isSubsetOf(ids)).toBe(true)
      }, patience)
      expect(await service(name).ready(120_000)).toBe(true)
    },
  )

  test('while the database is away clicks are accepted, and counted when it is back', async () => {
    const postgres = service('postgres')
    await postgres.stop()
    const responses = await Promise.all(
      Array.from({ length: 20 }, () => post('/v1/events', '{"target":"without-database"}')),
    )
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([202]))
    expect((await get('/v1/counts')).status).toBe(503)
    await postgres.start()
    await vi.waitFor(async () => expect(await totalOf('without-database')).toBe(20), patience)
  })

  test('while the broker is away clicks are refused with a time to come back, and accepted when it is back', async () => {
    const rabbitmq = service('rabbitmq')
    await rabbitmq.stop()
    const refused = await post('/v1/events', '{"target":"without-broker"}')
    expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([503, true])
    expect(await refused.json()).toMatchObject({ retryable: true })
    await rabbitmq.start()
    await vi.waitFor(
      async () => expect((await post('/v1/events', '{"target":"with-broker"}')).status).toBe(202),
      patience,
    )
    await vi.waitFor(async () => expect(await totalOf('with-broker')).toBeGreaterThan(0), patience)
    expect(await totalOf('without-broker')).toBe(0)
  })

  test('the command line finds the system by what it writes down, and gets in as operator', async () => {
    const access = await readLocalRun(dir)
    if (access === undefined) throw new Error('the system has not written down where it is')
    expect(access.baseUrl).toBe(system.baseUrl)
    const main = join(import.meta.dirname, '../../../cli/main.ts')
    const env = {
      CLICKTALLY_DATABASE_URL: access.databaseUrl,
      CLICKTALLY_BROKER_URL: access.brokerUrl,
      CLICKTALLY_MANAGEMENT_URL: access.managementUrl,
    }
    await vi.waitFor(async () => {
      const { stdout } = await promisify(execFile)(process.execPath, [main, 'balance', '--json'], { env })
      expect(JSON.parse(stdout)).toMatchObject({ verdict: 'settled', overdue: 0, broker: { ready: 0 } })
    }, patience)
  })

  test('what was counted is there after a stop and a start', async () => {
    const before = await totalOf('first')
    await system.stop()
    expect(await readLocalRun(dir)).toBeUndefined()
    system = await start()
    expect(await totalOf('first')).toBe(before)
  })
})
