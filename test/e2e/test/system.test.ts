import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readLocalRun } from '@clicktally/cli/system/local-run.ts'
import { runDemo } from '@clicktally/demo/demo.ts'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { makeKey } from '@clicktally/keys/key-text.ts'
import { ClickLoad } from '@clicktally/load/click-load.ts'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { nginxForLoadTests } from '@clicktally/local/servers/nginx-settings.ts'
import { rabbitmqctl } from '@clicktally/local/servers/rabbitmq.ts'
import { type System, startSystem } from '@clicktally/local/system.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { type Channel, connect } from 'amqplib'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type MarkedVisitor, VisitorMarks } from '../visitor-marks.ts'

/** A token of another program in the environment in which the system is started. */
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
    // Only the test of visitors sends X-Forwarded-For.
    nginx: { ...nginxForLoadTests, trustedProxies: ['127.0.0.1'] },
    onLine: (line) => lines.push(line),
    variables: { LOG_LEVEL: 'debug' },
  })
}

const withKey = () => ({ authorization: `Bearer ${system.ownerKey}` })

async function get(path: string) {
  const response = await fetch(new URL(path, system.baseUrl), { headers: withKey() })
  return { status: response.status, type: response.headers.get('content-type'), body: await response.text() }
}

function post(path: string, body: string, headers: Record<string, string> = {}) {
  return fetch(new URL(path, system.baseUrl), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...withKey(), ...headers },
    body,
  })
}

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0'

async function totalOf(target: string): Promise<number> {
  return JSON.parse((await get(`/v1/counts?target=${target}`)).body).total
}

/** The number of stored ids of a target, and the sum of its counters. */
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

function secretText(): string {
  return randomBytes(32).toString('hex')
}

/** The path and content of each file below a folder. The content is empty if the file was removed in the meantime. */
async function textsBelow(folder: string): Promise<[path: string, text: string][]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return await Promise.all(
    paths.map(async (path) => [path, await readFile(path, 'latin1').catch(() => '')] as [string, string]),
  )
}

describe('the system', () => {
  test('a click is accepted, counted, and has a receipt', async () => {
    const response = await post('/v1/events', '{"target":"first","visitorId":"me"}')
    expect(response.status).toBe(202)
    const { id, status } = (await response.json()) as { id: string; status: string }
    expect(status).toBe('accepted')
    await vi.waitFor(async () => expect(await totalOf('first')).toBe(1), patience)
    expect(JSON.parse((await get(`/v1/events/${id}`)).body)).toMatchObject({ id, status: 'counted', target: 'first' })
    const [listed] = JSON.parse((await get('/v1/events?target=first')).body).clicks
    expect(listed).toMatchObject({ id, target: 'first' })
    expect(JSON.parse((await get('/v1/export?format=ndjson&target=first')).body)).toEqual(listed)
  })

  test('every example in the OpenAPI document works as it stands', async () => {
    interface Operation {
      readonly operationId: string
      readonly tags: readonly string[]
      readonly parameters?: readonly { in: 'query' | 'path'; name: string; example?: unknown }[]
      readonly requestBody?: { content: Record<string, { example?: unknown }> }
    }
    const document = JSON.parse((await get('/openapi.json')).body) as {
      paths: Record<string, Record<string, Operation>>
    }
    const tried: Record<string, number> = {}
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, { operationId, tags, parameters = [], requestBody }] of Object.entries(operations)) {
        if (!['Send clicks', 'Read counts', 'Read clicks'].some((tag) => tags.includes(tag))) continue
        const url = new URL(path, system.baseUrl)
        for (const { in: place, name, example } of parameters) {
          if (example === undefined) continue
          if (place === 'query') url.searchParams.set(name, String(example))
          else url.pathname = path.replace(`{${name}}`, String(example))
        }
        for (const [type, { example }] of Object.entries(requestBody?.content ?? { none: {} })) {
          const body = typeof example === 'string' ? example : JSON.stringify(example)
          const response = await fetch(url, {
            method: method.toUpperCase(),
            headers: { ...withKey(), ...(body !== undefined && { 'content-type': type }) },
            ...(body !== undefined && { body }),
          })
          tried[`${operationId} ${type}`] = response.status
          // One of the answers does not end.
          await response.body?.cancel()
        }
      }
    }
    expect(tried).toEqual({
      'exportClicks none': 200,
      'getBalance none': 200,
      'getBreakdown none': 200,
      'getCounts none': 200,
      'getLive none': 200,
      'getPixel none': 200,
      'getReceipt none': 200,
      'getSeries none': 200,
      'getTop none': 200,
      'listClicks none': 200,
      'listDimensions none': 200,
      'postBackfill application/json': 202,
      'postBackfill application/x-ndjson': 202,
      'postBatch application/json': 202,
      'postBatch application/x-ndjson': 202,
      'postBeacon application/json': 204,
      'postBeacon text/plain': 204,
      'postClicks application/json': 202,
      'postClicks text/plain': 202,
      'postEvent application/json': 202,
    })
  })

  test('answers are cached, but never served to another credential or without one', async () => {
    const ask = async (headers: Record<string, string>) => {
      const response = await fetch(new URL('/v1/counts?target=first&from=2020-01-01T00:00:00Z', system.baseUrl), {
        headers,
      })
      const { total, code } = (await response.json()) as { total?: number; code?: string }
      return { status: response.status, total, code, cache: response.headers.get('x-cache') }
    }
    const manage = async (path: string, body: object) =>
      (await (await post(path, JSON.stringify(body))).json()) as { text: string }
    await manage('/v1/projects', { name: 'other' })
    const { text: other } = await manage('/v1/keys', { role: 'read', project: 'other' })
    const { text: own } = await manage('/v1/keys', { role: 'read' })
    await vi.waitFor(async () => expect((await ask({ authorization: `Bearer ${own}` })).status).toBe(200), patience)
    await vi.waitFor(async () => expect((await ask({ authorization: `Bearer ${own}` })).cache).toBe('HIT'), patience)
    expect((await ask({ authorization: `Bearer ${own}` })).total).toBe(1)
    expect(await ask({})).toMatchObject({ status: 401, code: 'key_missing' })
    expect(await ask({ authorization: `Bearer ${own.slice(0, -1)}` })).toMatchObject({ status: 401 })
    expect(await ask({ authorization: `Bearer ${other}` })).toMatchObject({ status: 200, total: 0 })
    expect(await ask({ cookie: '__Host-clicktally=nobody' })).toMatchObject({ status: 401 })
  })

  test('a revoked key is refused by every service, a new one accepted', async () => {
    const { key, text } = (await (await post('/v1/keys', '{"role":"secret"}')).json()) as {
      key: { id: string }
      text: string
    }
    const send = async () =>
      (await post('/v1/events', '{"target":"revoked"}', { authorization: `Bearer ${text}` })).status
    await vi.waitFor(async () => expect(await send()).toBe(202), patience)
    const revoked = await fetch(new URL(`/v1/keys/${key.id}`, system.baseUrl), { method: 'DELETE', headers: withKey() })
    expect(revoked.status).toBe(204)
    // Sequentially, because nginx alternates between the ingests.
    await vi.waitFor(async () => expect([await send(), await send(), await send()]).toEqual([401, 401, 401]), patience)
  })

  test('nginx forwards only public paths', async () => {
    for (const path of ['/livez', '/readyz', '/metrics', '/nothing', '/v1/events/batch/x', '/v1']) {
      const { status, type } = await get(path)
      expect([path, status, type]).toEqual([path, 404, 'application/problem+json'])
    }
    expect((await get('/openapi.json')).status).toBe(200)
    expect((await get('/docs/')).status).toBe(200)
  })

  test('a body that is too large for nginx is refused with the same kind of problem', async () => {
    const response = await post('/v1/events', 'x'.repeat(2 * 1024 * 1024))
    expect([response.status, response.headers.get('content-type')]).toEqual([413, 'application/problem+json'])
    expect(await response.json()).toMatchObject({ code: 'body_too_large', retryable: false })
  })

  test("the request id of a click is in the processor's log", async () => {
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
    // The response says that it includes all clicks accepted before now, so the count is final.
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
        // nginx overwrites its arguments with its process title.
        if (name !== 'nginx') expect(environment, name).toMatch(/(^|\0)PATH=/)
        expect(environment, name).not.toContain(foreignToken)
      }
    },
  )

  test.runIf(process.platform === 'linux')('the Erlang cookie is on no command line', async () => {
    const cookie = await readFile(join(system.secretsDir, 'rabbitmq/erlang-cookie'), 'utf8')
    // 256 bits in base64url. The broker uses this cookie: without it, rabbitmqctl cannot connect.
    expect(cookie).toMatch(/^[\w-]{43}$/)
    expect(await rabbitmqctl(service('rabbitmq'), ['eval', 'erlang:get_cookie().'])).toContain(cookie)
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      // The process may have ended in the meantime.
      const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      expect(commandLine).not.toContain(cookie)
    }
  })

  test('the broker allows ingest only to publish clicks', async () => {
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

  test('the demo counts every click exactly once while processors are killed', async () => {
    const killing = new AbortController()
    const killer = (async () => {
      for (let kill = 0; !killing.signal.aborted; kill += 1) {
        service(`processor-${1 + (kill % 2)}`).signal('SIGKILL')
        await new Promise((resolve) => setTimeout(resolve, 700))
      }
    })()
    const demo = runDemo({
      url: `${system.baseUrl}/`,
      key: system.ownerKey,
      clicks: 20_000,
      seed: 7,
      stateDir: '/nonexistent',
      once: true,
    })
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
      const load = new ClickLoad({ endpoints: [system.baseUrl], key: system.ownerKey, targets: [target] })
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
      expect(await service(name).ready(patience.timeout)).toBe(true)
    },
  )

  test('clicks are accepted while the database is down, and counted when it is up again', async () => {
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

  test('keys are verified while the database is down, even by an ingest that starts during that time', async () => {
    const postgres = service('postgres')
    await postgres.stop()
    const ingest = service('ingest-1')
    const { pid } = ingest
    ingest.signal('SIGTERM')
    await vi.waitFor(() => expect(ingest.pid).not.toBe(pid), patience)
    expect(await ingest.ready(patience.timeout)).toBe(true)
    const send = async (headers: Record<string, string>) => {
      const url = `http://127.0.0.1:${system.services.get('ingest-1')?.port}/v1/events`
      const body = '{"target":"restarted"}'
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body,
      })
      return [response.status, ((await response.json()) as { code?: string }).code]
    }
    expect(await send(withKey())).toEqual([202, undefined])
    expect(await send({ authorization: `Bearer ${makeKey('secret').text}` })).toEqual([401, 'key_unknown'])
    expect(await send({})).toEqual([401, 'key_missing'])
    await postgres.start()
    await vi.waitFor(async () => expect(await totalOf('restarted')).toBe(1), patience)
  })

  test('clicks are refused with Retry-After while the broker is down, and accepted when it is up again', async () => {
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

  test('no key, session or password is in a log or in the cache, whatever fails', async () => {
    const created = await post('/v1/keys', '{"role":"owner"}')
    const { text: known } = (await created.json()) as { text: string }
    const [unknown, token, inQuery, password] = [
      makeKey('read').text,
      secretText(),
      makeKey('write').text,
      secretText(),
    ]
    const credentials = [
      { authorization: `Bearer ${known}` },
      { authorization: `Bearer ${unknown}` },
      { authorization: `bearer  ${unknown.slice(0, -1)}!` },
      { authorization: `Basic ${unknown}` },
      { cookie: `__Host-clicktally=${token}` },
      { cookie: `${token}; __Host-clicktally=${known}`, 'x-api-key': unknown },
    ]
    const paths = [
      '/v1/counts',
      '/v1/counts/series',
      '/v1/counts/top',
      '/v1/counts/by',
      '/v1/counts/by/country',
      '/v1/balance',
      '/v1/keys',
      '/v1/session',
      '/docs/',
      '/v1/p.gif',
    ]
    const failedPaths = ['/v1/nothing', '/v1/keys/x', `/v1/events/${inQuery}`, '/v1/counts/%2e%2e', '//v1/counts']
    const ask = async () => {
      const statuses = new Set<number>()
      for (const headers of credentials) {
        for (const path of [...paths, ...failedPaths]) {
          const url = new URL(`${system.baseUrl}${path}?key=${inQuery}`)
          statuses.add((await fetch(url, { headers, redirect: 'manual' })).status)
          url.search = ''
          statuses.add((await fetch(url, { headers, redirect: 'manual' })).status)
        }
        const signIn = { email: 'nobody@localhost', password }
        const bodies = {
          events: { target: 'secrets' },
          c: { key: inQuery, target: 'secrets' },
          beacon: { key: known, events: [{ target: 'secrets' }] },
          keys: { key: inQuery },
          session: signIn,
          password: { token, password },
        }
        for (const [path, body] of Object.entries(bodies)) {
          statuses.add((await post(`/v1/${path}?key=${inQuery}`, JSON.stringify(body), headers)).status)
        }
      }
      return statuses
    }
    expect([...(await ask())]).toEqual(expect.arrayContaining([200, 401, 404, 422]))
    // auth is last, because a restart resets its count of failed sign-ins.
    for (const name of ['api', 'postgres', 'rabbitmq', 'auth']) {
      await service(name).stop()
      expect([...(await ask())], name).toContain(503)
      await service(name).start()
      expect(await service(name).ready(patience.timeout), name).toBe(true)
    }
    // Search for whole keys and for parts, in case a prefix was cut off.
    const secrets = [known, unknown.slice(0, -1), token, inQuery, password].map((text) => text.slice(-30))
    const cacheDir = join(dir, 'data', 'nginx')
    const texts = await Promise.all([system.logsDir, cacheDir].map(textsBelow))
    for (const [path, text] of texts.flat()) {
      for (const secret of secrets) expect(text.includes(secret), path).toBe(false)
    }
    // Check that these are the right files: the log has the failures, and the cache has responses.
    const written = texts.flat().map(([, text]) => text)
    expect(written.some((text) => text.includes('"service":"nginx"') && text.includes('"status":503'))).toBe(true)
    expect(written.some((text) => text.includes('KEY: /v1/counts'))).toBe(true)
  })

  test('the command line finds the running system, and authenticates as operator', async () => {
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

  test('doctor finds that nginx and the services work', async () => {
    const main = join(import.meta.dirname, '../../../cli/main.ts')
    const run = await readLocalRun(dir)
    const env = {
      CLICKTALLY_URL: system.baseUrl,
      CLICKTALLY_KEY: system.ownerKey,
      CLICKTALLY_DATABASE_URL: run?.databaseUrl,
      CLICKTALLY_BROKER_URL: run?.brokerUrl,
      CLICKTALLY_MANAGEMENT_URL: run?.managementUrl,
    }
    // Its exit code tells of other checks too: a test server may not wait for its disk.
    const { stdout } = await promisify(execFile)(process.execPath, [main, 'doctor', '--json'], { env }).catch(
      (ended: { stdout: string }) => ended,
    )
    const found = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(found.slice(0, 4).map(({ check, state }) => [check, state])).toEqual(
      ['nginx', 'ingest', 'api', 'auth'].map((check) => [check, 'ok']),
    )
  })

  test('a key and a user created on the command line are accepted, until the key is revoked', async () => {
    const main = join(import.meta.dirname, '../../../cli/main.ts')
    const env = { CLICKTALLY_URL: system.baseUrl, CLICKTALLY_KEY: system.ownerKey }
    const run = async (...args: string[]) =>
      (await promisify(execFile)(process.execPath, [main, ...args], { env })).stdout.trimEnd()
    const origin = 'https://shop.example'
    const key = await run('keys', 'create', '--role', 'write', '--origin', origin)
    const send = async (from: string) => {
      // As a browser: otherwise it is a bot's.
      const headers = { authorization: `Bearer ${key}`, origin: from, 'user-agent': firefox }
      const { status, headers: answered } = await post('/v1/events', '{"target":"from-the-shop"}', headers)
      return [status, answered.get('access-control-allow-origin')]
    }
    await vi.waitFor(async () => expect(await send(origin)).toEqual([202, origin]), patience)
    expect(await send('https://evil.example')).toEqual([403, null])
    await vi.waitFor(async () => expect(await totalOf('from-the-shop')).toBeGreaterThan(0), patience)
    const [, , id = ''] = key.split('_')
    expect(await run('keys', 'revoke', id, '--yes')).toBe(`The key ${id} was revoked.`)
    await vi.waitFor(
      async () =>
        expect([await send(origin), await send(origin)]).toEqual([
          [401, null],
          [401, null],
        ]),
      patience,
    )

    const link = new URL(await run('users', 'invite', 'ann@example.org', '--role', 'auditor'))
    expect([link.origin, link.pathname]).toEqual([system.baseUrl, '/password'])
    const password = 'a long enough password'
    await vi.waitFor(async () => {
      const token = link.hash.slice(1)
      expect((await post('/v1/password', JSON.stringify({ token, password }))).status).toBe(204)
    }, patience)
    const signedIn = await vi.waitFor(async () => {
      const answer = await post('/v1/session', JSON.stringify({ email: 'ann@example.org', password }))
      // An earlier test has used up what nginx allows in a minute.
      expect(answer.status).not.toBe(429)
      return answer
    }, patience)
    expect([signedIn.status, signedIn.headers.get('set-cookie')]).toEqual([
      200,
      expect.stringMatching(/^__Host-clicktally=/),
    ])
    const newest = (await run('audit', '--limit', '4', '--json')).split('\n').map((line) => JSON.parse(line).action)
    expect(newest).toEqual(['session.start', 'user.password', 'user.invite', 'key.revoke'])
  })

  test('no log contains a visitor id, and no file contains an address or a user agent, whatever fails', async () => {
    const marks = new VisitorMarks()
    const origin = 'https://marked.example'
    const { text: key } = (await (
      await post('/v1/keys', JSON.stringify({ role: 'write', origins: [origin] }))
    ).json()) as { text: string }
    const asVisitor = ({ address, userAgent }: MarkedVisitor) => ({
      ...{ authorization: `Bearer ${key}`, origin, 'x-forwarded-for': address, 'user-agent': userAgent },
    })
    const sendAs = async (visitor: MarkedVisitor, path: string, body: string) =>
      (await post(path, body, asVisitor(visitor))).status
    await vi.waitFor(
      async () => expect(await sendAs(marks.add(), '/v1/events', '{"target":"marked"}')).toBe(202),
      patience,
    )
    /** Requests of clients, valid and invalid. */
    const sendAll = async (visitor = marks.add()) => {
      const { visitorId } = visitor
      const event = JSON.stringify({ target: 'marked', visitorId })
      const statuses = []
      for (const [path, body] of [
        ['/v1/events', event],
        ['/v1/events/batch', `{"events":[${event},{"target":"marked"},{"target":"","visitorId":"${visitorId}"}]}`],
        ['/v1/events', event.slice(0, -2)],
        ['/v1/events', event.replace('target', visitorId)],
        ['/v1/events', event.replace('{', `{"url":"${'x'.repeat(40_000)}",`)],
        ['/v1/backfill', event],
        [`/v1/counts?visitor=${visitorId}`, event],
        [`/v1/${visitorId}`, event],
      ] as const)
        statuses.push(await sendAs(visitor, path, body))
      // A server names the user agent of its visitor.
      const named = JSON.stringify({ target: 'named', userAgent: visitor.userAgent, country: 'DE' })
      return [...statuses, (await post('/v1/events', named)).status]
    }
    const fine = [202, 202, 400, 422, 413, 403, 405, 404, 202]
    expect(await sendAll()).toEqual(fine)
    const clicks = new Client({ connectionString: system.postgresUrl })
    await clicks.connect()
    clicks.on('error', () => {})
    // Makes the database refuse a row. The detail of this error contains the whole row.
    await clicks.query(`alter table clicks add constraint refused check (target <> 'refused')`)
    const refused = marks.add()
    await sendAs(refused, '/v1/events', JSON.stringify({ target: 'refused', visitorId: refused.visitorId }))
    await vi.waitFor(async () => {
      const { rows } = await clicks.query('select content from dead_letters')
      expect(rows.some(({ content }) => content.includes(refused.visitorId))).toBe(true)
    }, patience)
    await clicks.query('alter table clicks drop constraint refused')
    const broker = await connect(system.amqpUrl)
    const channel = await broker.createConfirmChannel()
    channel.publish('clicks.incoming', 'clicks', Buffer.from(`{"visitorId":"${marks.add().visitorId}"`), {
      type: 'clicks.v1',
    })
    await channel.waitForConfirms()
    await broker.close()
    service('processor-1').signal('SIGKILL')
    service('ingest-1').signal('SIGKILL')
    await service('postgres').stop()
    expect(await sendAll()).toEqual(fine)
    await service('postgres').start()
    await service('rabbitmq').stop()
    expect((await sendAll()).slice(0, 2)).toEqual([503, 503])
    await service('rabbitmq').start()
    await vi.waitFor(async () => expect((await sendAll()).slice(0, 2)).toEqual([202, 202]), patience)

    // The derived visitor of the first one, and both the id and the derived visitor of three others.
    await vi.waitFor(async () => {
      const counts = JSON.parse((await get('/v1/counts?target=marked')).body)
      expect(counts.visitors).toBeGreaterThanOrEqual(7)
    }, patience)
    expect(await marks.findIn(system.logsDir, ['visitorId'])).toEqual([])
    expect(await marks.findIn(dir, ['address', 'userAgent'])).toEqual([])
    // Check the search itself: the files of the database do contain visitors.
    expect((await marks.findIn(dir, ['visitorId'])).join()).toContain('postgres')
    const logs = await readdir(system.logsDir)
    expect(logs.length).toBeGreaterThan(6)
    expect(lines.join()).not.toMatch(/visitor-[0-9a-f]{18}|Agent-/)
  })

  test('the counts are the same after a stop and a start', async () => {
    const before = await totalOf('first')
    await system.stop()
    expect(await readLocalRun(dir)).toBeUndefined()
    system = await start()
    expect(await totalOf('first')).toBe(before)
  })
})
