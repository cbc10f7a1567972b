import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { topology } from '@clicktally/broker/topology.ts'
import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { createClick } from '@clicktally/processor/test/processor-under-test.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { createPostgresPair } from '@clicktally/testing/postgres-pair.ts'
import { pino } from 'pino'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { checkBroker } from '../doctor/broker-checks.ts'
import { checkDatabase } from '../doctor/database-checks.ts'
import type { Finding } from '../doctor/finding.ts'
import { checkServices } from '../doctor/service-checks.ts'
import { type CliBench, createCliBench } from './cli-under-test.ts'

const limits = { name: 'test', logger: pino({ level: 'silent' }), maxConnections: 1, statementTimeoutMs: 10_000 }

/** As a processor that reports all the time. */
async function report(bench: CliBench, ago: string): Promise<void> {
  await bench.ask(
    `insert into processor_progress (processor, name, counted_through, connections, reported_at)
     values ('01a20e6b-0000-7000-8000-000000000000', 'test', clock_timestamp() - $1::interval, '{}', clock_timestamp() + '1 hour')
     on conflict (processor) do update set counted_through = excluded.counted_through`,
    [ago],
  )
}

async function examine(bench: CliBench): Promise<Map<string, Finding>> {
  const found = await bench.json<Finding>('doctor')
  return new Map(found.map((finding) => [finding.check, finding]))
}

type ServiceAnswer = readonly [status: number, body: object | string]

const refused = (status: number, code: string): ServiceAnswer => [status, { status, code, detail: `why ${code}` }]
const works: Record<string, ServiceAnswer> = {
  'POST /v1/events/batch': refused(422, 'batch_empty'),
  'GET /v1/counts': [200, { total: 0 }],
  'GET /v1/projects': [200, { projects: [] }],
}

/** A server that answers as nginx in front of the services, and the keys that were sent to it. */
async function createServices(answers: Record<string, ServiceAnswer>) {
  const keys = new Set<string | undefined>()
  const server = createServer(({ method, url = '', headers }, response) => {
    keys.add(headers.authorization)
    const [status, body] = answers[`${method} ${url.replace(/\?.*/, '')}`] ?? refused(404, 'not_found')
    response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, keys }
}

const stateOf = async (bench: CliBench, check: string) => (await examine(bench)).get(check)?.state

describe('doctor', () => {
  test('finds nothing wrong with the counts, the database, the clocks and the keys of a system that works', async () => {
    const bench = await createCliBench()
    await bench.startProcessor()
    await bench.send(createClick())
    await bench.untilProcessed()
    await report(bench, '0 s')
    await bench.ask(`select create_click_partition(current_date + n) from generate_series(0, 7) as n`)
    // The processor of a test does not fold.
    await bench.ask('select fold_counter_deltas()')
    const found = await examine(bench)
    const checks = ['counts', 'overdue', 'dead letters', 'folds', 'set aside', 'PostgreSQL', 'schema', 'processors']
    const more = [
      'connections',
      'partitions',
      'autovacuum',
      'clock of the database',
      'clock of the broker',
      'clocks of ingest',
      'keys',
    ]
    for (const check of [...checks, ...more]) expect(found.get(check)).toMatchObject({ check, state: 'ok' })
    expect(found.get('schema')?.found).toMatch(/^\d+ migrations, all applied$/)
  })

  test('finds what is wrong in the database, and says what to do', async () => {
    const bench = await createCliBench()
    await report(bench, '20 minutes')
    await bench.bury({})
    await bench.ask(`delete from kysely_migration where name like '0021%'`)
    await bench.ask(
      `insert into counter_deltas (project_id, target, minute, total, bots, visitors) values (1, 'a', now(), 1, 0, '{}')`,
    )
    await bench.ask(`update rollup_horizon set folded_through = clock_timestamp() - interval '5 minutes'`)
    await bench.ask(
      `insert into keys (id, project_id, role, label, hash, expires_at)
       values ('ABCDEFGHJKLM', 1, 'read', 'site', sha256('x'), clock_timestamp() + interval '3 days 1 hour')`,
    )
    const found = await examine(bench)
    expect(found.get('counts')).toMatchObject({ state: 'problem', found: expect.stringMatching(/^1,2\d\d s behind$/) })
    expect(found.get('dead letters')).toMatchObject({ state: 'notice', advice: expect.stringContaining('dead list') })
    expect(found.get('schema')).toMatchObject({
      state: 'problem',
      found: expect.stringContaining('not migrated: 0021'),
    })
    expect(found.get('folds')).toMatchObject({ state: 'notice' })
    expect(found.get('keys')).toMatchObject({ state: 'notice', found: 'expire: ABCDEFGHJKLM in 3 days' })
    const { code, stdout } = await bench.run('doctor')
    expect(code).toBe(1)
    expect(stdout).toMatch(/problem +counts +1,2\d\d s behind/)
    expect(stdout).not.toContain('autovacuum')
    expect((await bench.run('doctor', '--all')).stdout).toContain('autovacuum')
  })

  test('finds a database that does not wait for its disk', async () => {
    const bench = await createCliBench()
    const [setting] = await bench.ask<{ fsync: string }>('show fsync')
    expect((await examine(bench)).get('durability')).toMatchObject(
      setting?.fsync === 'on'
        ? { state: 'ok' }
        : { state: 'problem', found: expect.stringContaining('not safe: fsync') },
    )
  })

  test('finds a standby that no commit waits for', async () => {
    const pair = await createPostgresPair()
    const find = async (wanted = 'standbys') => {
      const pool = createPool({ ...limits, url: pair.primary.urlAs('operator') })
      const db = createDatabase(pool)
      const found = (await checkDatabase(db)).find(({ check }) => check === wanted)
      await db.destroy()
      return found
    }
    // Unlike the server of most tests, this one waits for its disk.
    expect(await find('durability')).toMatchObject({ state: 'ok' })
    await vi.waitFor(
      async () =>
        expect(await find()).toMatchObject({
          ...{ state: 'problem', found: '1 connected, none synchronous' },
          advice: expect.stringContaining('synchronous_standby_names'),
        }),
      patience,
    )
    await pair.synchronize()
    await vi.waitFor(
      async () => expect(await find()).toMatchObject({ state: 'ok', found: '1 connected, synchronous: standby' }),
      patience,
    )
    await pair.standby.kill()
    await vi.waitFor(async () => expect(await find()).toMatchObject({ state: 'problem' }), patience)
  })

  test.each<[string, Record<string, ServiceAnswer>, (readonly [string, Finding['state'], RegExp])[]]>([
    [
      'that work',
      {},
      [
        ['nginx', 'ok', /^answers at http/],
        ['ingest', 'ok', /answers/],
        ['api', 'ok', /answers/],
        ['auth', 'ok', /answers/],
      ],
    ],
    [
      'of which ingest is stopped and auth has an error',
      {
        'POST /v1/events/batch': refused(503, 'upstream_unavailable'),
        'GET /v1/projects': refused(500, 'internal'),
      },
      [
        ['nginx', 'ok', /^answers/],
        ['ingest', 'problem', /^503 upstream_unavailable.*\nStart ingest: clicks are refused\.$/],
        ['api', 'ok', /answers/],
        ['auth', 'problem', /^500 internal.*\nSee the log of auth: /],
      ],
    ],
    [
      'of which one does not know the key, and one does not let it',
      { 'POST /v1/events/batch': refused(401, 'key_unknown'), 'GET /v1/projects': refused(403, 'right_missing') },
      [
        ['nginx', 'ok', /^answers/],
        ['ingest', 'unknown', /^401 key_unknown.*\nSet CLICKTALLY_KEY /],
        ['api', 'ok', /answers/],
        ['auth', 'ok', /answers/],
      ],
    ],
    [
      'that are asked too much',
      { 'GET /v1/counts': refused(429, 'too_many_requests') },
      [
        ['nginx', 'ok', /^answers/],
        ['ingest', 'ok', /answers/],
        ['api', 'unknown', /^429 too_many_requests.*\nRepeat /],
        ['auth', 'ok', /answers/],
      ],
    ],
    [
      'behind a name that nginx does not serve',
      Object.fromEntries(Object.keys(works).map((request) => [request, refused(421, 'host_not_served')])),
      [['nginx', 'problem', /421 host_not_served.*\nAdd this name to CLICKTALLY_HOSTS/]],
    ],
    [
      'behind another server',
      Object.fromEntries(Object.keys(works).map((request) => [request, [200, '<html>']])),
      [['nginx', 'problem', /: 200\nIt does not answer as Clicktally/]],
    ],
  ])('asks services %s', async (_, answers, expected) => {
    const { url, keys } = await createServices({ ...works, ...answers })
    const found = await checkServices({ baseUrl: new URL(url), key: 'ct_o_key' })
    const told = found.map(({ check, state, found: text, advice }) => [
      ...[check, state, [text, advice].filter(Boolean).join('\n')],
    ])
    expect(told).toEqual(expected.map(([check, state, text]) => [check, state, expect.stringMatching(text)]))
    expect([...keys]).toEqual(['Bearer ct_o_key'])
  })

  test('finds first that nginx does not answer, and says so if it knows no address or no key', async () => {
    const bench = await createCliBench()
    const first = async (count: number) => (await bench.json<Finding>('doctor')).slice(0, count)
    expect(await first(1)).toMatchObject([
      { check: 'services', state: 'unknown', found: expect.stringContaining('not CLICKTALLY_URL') },
    ])
    bench.variables.CLICKTALLY_URL = 'http://127.0.0.1:9'
    expect(await first(2)).toMatchObject([
      { check: 'nginx', state: 'problem', found: expect.stringContaining('http://127.0.0.1:9: ') },
      { check: 'counts' },
    ])
    const { url, keys } = await createServices({ ...works, 'POST /v1/events/batch': refused(401, 'key_missing') })
    bench.variables.CLICKTALLY_URL = url
    expect(await first(2)).toMatchObject([
      { check: 'nginx', state: 'ok' },
      { check: 'ingest', state: 'unknown', advice: expect.stringContaining('CLICKTALLY_KEY') },
    ])
    expect([...keys]).toEqual([undefined])
  })

  test('finds an ingest whose clock is ahead', async () => {
    const bench = await createCliBench()
    await bench.startProcessor()
    await bench.send(createClick({ receivedAtMs: Date.now() + 60_000 }))
    await vi.waitFor(async () => expect((await bench.tally()).stored).toBe(1), patience)
    expect(await stateOf(bench, 'clocks of ingest')).toBe('problem')
  })

  test('finds a queue without a consumer, and one that is missing', async () => {
    const bench = await createCliBench()
    // The virtual host of a test has no policies, which is found first.
    for (const [name, queue] of Object.entries(topology).filter(([name]) => /^(q|suspectQ|deadQ)ueue$/.test(name))) {
      const definition = { overflow: 'reject-publish' }
      await bench.broker.manage('PUT', `/policies/{vhost}/${name}`, {
        pattern: `^${queue}$`,
        definition,
        'apply-to': 'queues',
      })
    }
    await bench.broker.channel.deleteQueue(topology.deadQueue)
    await vi.waitFor(async () => {
      const found = await examine(bench)
      expect(found.get('queue clicks')).toMatchObject({
        state: 'problem',
        found: expect.stringContaining('0 consumers'),
      })
      expect(found.get('queue clicks.dead')).toMatchObject({ state: 'problem', found: 'is missing' })
    }, patience)
    await bench.startProcessor()
    await vi.waitFor(async () => expect(await stateOf(bench, 'queue clicks')).toBe('ok'), patience)
  })

  test('finds queues and streams with fewer members than the cluster has nodes, and gives the commands', async () => {
    const nodes = ['rabbit@a', 'rabbit@b', 'rabbit@c', 'rabbit@d']
    const queue = (name: string, members: string[]) => ({
      ...{ name, type: 'quorum', leader: 'rabbit@a', members, online: members, consumers: 1, policy: 'clicks' },
    })
    const answers: Record<string, unknown> = {
      '/api/overview': { rabbitmq_version: '4.3.0' },
      '/api/nodes': nodes.map((name) => ({ name, running: true, disk_free: 1e12, disk_free_limit: 1 })),
      '/api/queues/%2F': [
        queue(topology.queue, ['rabbit@a']),
        queue(topology.suspectQueue, ['rabbit@a', 'rabbit@c']),
        queue(topology.deadQueue, ['rabbit@a', 'rabbit@b', 'rabbit@d']),
        { name: 'keys', type: 'stream', members: ['rabbit@b'] },
        { name: 'live', type: 'stream', members: ['rabbit@a', 'rabbit@b', 'rabbit@c'] },
      ],
    }
    const server = createServer(({ url = '' }, response) => response.end(JSON.stringify(answers[url])))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => {
      server.close()
    })
    const managementUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const found = await checkBroker({ managementUrl, brokerUrl: 'amqp://operator:secret@a' })
    const notices = found.filter(({ state }) => state !== 'ok').map(({ check, advice }) => [check, advice])
    const why = 'It does not survive the loss of a node. Run: '
    expect(notices).toEqual([
      ['queue clicks', `${why}rabbitmq-queues grow rabbit@b all; rabbitmq-queues grow rabbit@c all`],
      ['queue clicks.suspect', `${why}rabbitmq-queues grow rabbit@b all`],
      [
        'stream of keys',
        `${why}rabbitmq-streams add_replica keys rabbit@a; rabbitmq-streams add_replica keys rabbit@c`,
      ],
    ])
  })

  test('shows the other checks when RabbitMQ cannot be reached', async () => {
    const bench = await createCliBench()
    await report(bench, '0 s')
    bench.variables.CLICKTALLY_MANAGEMENT_URL = 'http://127.0.0.1:9'
    const found = await examine(bench)
    expect(found.get('broker')).toMatchObject({ state: 'unknown' })
    expect(found.get('counts')).toMatchObject({ state: 'ok' })
    expect((await bench.run('doctor')).code).toBe(1)
  })

  test('notices that raw clicks are not archived, and why', async () => {
    const bench = await createCliBench()
    expect(await stateOf(bench, 'janitor')).toBe('ok')
    await bench.ask('update projects set keep_raw_days = 90')
    expect(await stateOf(bench, 'janitor')).toBe('notice')
    await bench.ask('update janitor_runs set succeeded_at = now()')
    expect(await stateOf(bench, 'janitor')).toBe('ok')
    await bench.ask(`update janitor_runs set failure = 'the disk is full'`)
    expect((await examine(bench)).get('janitor')).toMatchObject({
      state: 'notice',
      found: expect.stringContaining('the disk is full'),
    })
    await bench.ask(`update janitor_runs set failure = null, succeeded_at = now() - interval '2 days'`)
    expect(await stateOf(bench, 'janitor')).toBe('notice')
  })

  test('notices webhooks that fail, and thresholds that are not judged', async () => {
    const bench = await createCliBench()
    const states = async () => [await stateOf(bench, 'webhooks'), await stateOf(bench, 'thresholds')]
    await report(bench, '1 s')
    await bench.ask(
      `insert into webhooks (project_id, url, secret) values (1, 'https://hooks.example/', decode(repeat('00', 32), 'hex'))`,
    )
    await bench.ask(`insert into thresholds (project_id, type, window_minutes) values (1, 'silent', 5)`)
    expect(await states()).toEqual(['ok', 'ok'])
    await bench.ask(`with event as (insert into webhook_events (project_id, type, body) values (1, 'test', '{}') returning id)
      insert into webhook_deliveries (webhook_id, event_id, attempts, last_error)
      select webhooks.id, event.id, 1, 'answered 500' from webhooks, event`)
    await bench.ask(`update thresholds set judged_through = now() - interval '10 minutes'`)
    expect(await states()).toEqual(['notice', 'notice'])
    await bench.ask(`update webhooks set disabled_at = now(), disabled_because = 'failing'`)
    expect((await examine(bench)).get('webhooks')).toMatchObject({
      state: 'notice',
      found: expect.stringContaining('1 disabled'),
    })
  })
})

describe('status', () => {
  test('shows how far the counts are behind, and what waits', async () => {
    const bench = await createCliBench()
    await report(bench, '5 s')
    await bench.bury({})
    const [status] = await bench.json<Record<string, unknown>>('status')
    expect(status).toMatchObject({ inFlight: 0, overdue: 0, dead: 1, unfoldedDeltas: 0, processors: 1 })
    expect(status?.behindSeconds).toBeGreaterThanOrEqual(5)
    expect((await bench.run('status')).stdout).toMatch(/behind +ready .*\n.* s +0 +0 +0 +0 +1 +0 +1\n$/)
  })
})
