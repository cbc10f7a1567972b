import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { patience } from '@clicktally/testing/patience.ts'
import { TcpProxy } from '@clicktally/testing/tcp-proxy.ts'
import { Webhook } from 'standardwebhooks'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { deleteOldSecrets } from '../deliveries/delivery-queue.ts'
import { pauseAfter, retryPausesMs } from '../deliveries/retry-schedule.ts'
import { createNotifier, createReceiver, secretText } from './notifier-under-test.ts'

describe('a delivery', () => {
  test('is signed so that the library of Standard Webhooks verifies it, and nothing else', async () => {
    const notifier = await createNotifier()
    const receiver = await createReceiver()
    const event = await notifier.addEvent(await notifier.addWebhook(receiver.url))
    await notifier.createWork().deliver()
    const [request] = receiver.received
    const headers = request?.headers as Record<string, string>
    expect(headers).toMatchObject({ 'webhook-id': event, 'content-type': 'application/json' })
    const verify = (text: string, body: string) => new Webhook(text).verify(body, headers)
    expect(verify(secretText, request?.body ?? '')).toEqual({ type: 'test' })
    expect(() => verify(secretText, '{"type":"tesT"}')).toThrow('No matching signature')
    expect(() => verify(`whsec_${Buffer.alloc(32).toString('base64')}`, request?.body ?? '')).toThrow()
    expect(await notifier.deliveries()).toMatchObject([
      { attempts: 1, last_status: 204, last_error: null, next_attempt_at: null, delivered_at: expect.any(Date) },
    ])
  })

  test('is signed with the secret and with each replaced one until its time is over', async () => {
    const notifier = await createNotifier()
    const receiver = await createReceiver()
    const webhook = await notifier.addWebhook(receiver.url)
    const first = Buffer.from(secretText.slice('whsec_'.length), 'base64')
    const [next, last] = [Buffer.alloc(32, 9), Buffer.alloc(32, 10)] as const
    const texts = [first, next, last].map((secret) => `whsec_${secret.toString('base64')}`)
    const accepted = async () => {
      await notifier.addEvent(webhook)
      await notifier.createWork().deliver()
      const { body, headers } = receiver.received.at(-1) ?? { body: '', headers: {} }
      const verifies = (text: string) => {
        try {
          return new Webhook(text).verify(body, headers as Record<string, string>) !== undefined
        } catch {
          return false
        }
      }
      return [...texts.map(verifies), String(headers['webhook-signature']).split(' ').length]
    }
    expect(await accepted()).toEqual([true, false, false, 1])
    await notifier.ask(`update webhooks set secret = $1, previous_secret_until = now() + interval '1 hour'`, [next])
    expect(await accepted()).toEqual([true, true, false, 2])
    await deleteOldSecrets(notifier.db)
    expect(await accepted()).toEqual([true, true, false, 2])
    // Replaced once more, as after an answer that was lost: the receiver may still use the first.
    await notifier.ask(`update webhooks set secret = $1, previous_secret_until = now() + interval '2 hours'`, [last])
    expect(await accepted()).toEqual([true, true, true, 3])
    await notifier.ask(`update replaced_webhook_secrets set used_until = now() where secret = $1`, [first])
    expect(await accepted()).toEqual([false, true, true, 2])
    const kept = () => notifier.ask('select count(*)::int as old from replaced_webhook_secrets')
    expect(await kept()).toEqual([{ old: 2 }])
    await deleteOldSecrets(notifier.db)
    expect(await kept()).toEqual([{ old: 1 }])
    // Without an overlap none of the old ones is kept.
    await notifier.ask(`update webhooks set secret = $1, previous_secret_until = now()`, [Buffer.alloc(32, 8)])
    expect(await kept()).toEqual([{ old: 0 }])
    expect(await accepted()).toEqual([false, false, false, 1])
  })

  test('is signed with at most six secrets, however often the secret is replaced', async () => {
    const notifier = await createNotifier()
    await notifier.addWebhook('https://hooks.example/')
    for (let each = 1; each <= 10; each += 1)
      await notifier.ask(
        `update webhooks set secret = $1, previous_secret_until = clock_timestamp() + interval '1 hour'`,
        [Buffer.alloc(32, each)],
      )
    const old = await notifier.ask(
      'select get_byte(secret, 0) as first from replaced_webhook_secrets order by used_until',
    )
    expect(old).toEqual([5, 6, 7, 8, 9].map((first) => ({ first })))
  })

  test('that fails is repeated later with the same id and body, until it succeeds', async () => {
    const notifier = await createNotifier()
    const receiver = await createReceiver((response, number) => response.writeHead(number < 3 ? 500 : 200).end('text'))
    const event = await notifier.addEvent(await notifier.addWebhook(receiver.url))
    const { deliver } = notifier.createWork()
    for (const attempts of [1, 2, 3]) {
      await deliver()
      const [row] = await notifier.deliveries()
      expect(row).toMatchObject({ attempts, last_status: 500, last_error: 'answered 500', delivered_at: null })
      const pauseMs = (row?.next_attempt_at?.getTime() ?? 0) - (row?.last_attempt_at?.getTime() ?? 0)
      expect(pauseMs).toBeGreaterThanOrEqual(0.9 * (retryPausesMs[attempts - 1] as number))
      // It is not due yet.
      await deliver()
      expect(receiver.received).toHaveLength(attempts)
      await notifier.makeDue()
    }
    await deliver()
    await deliver()
    expect(receiver.ids()).toEqual([event, event, event, event])
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1)
    expect(await notifier.deliveries()).toMatchObject([{ attempts: 4, last_status: 200, last_error: null }])
  })

  test('waits as long as the receiver asks for', async () => {
    const notifier = await createNotifier()
    const receiver = await createReceiver((response) => response.writeHead(503, { 'retry-after': '7200' }).end())
    await notifier.addEvent(await notifier.addWebhook(receiver.url))
    await notifier.createWork().deliver()
    const [row] = await notifier.deliveries()
    expect((row?.next_attempt_at?.getTime() ?? 0) - (row?.last_attempt_at?.getTime() ?? 0)).toBeGreaterThanOrEqual(
      7_200_000,
    )
  })

  test('fails if the receiver does not answer in time, breaks the connection or is not there', async () => {
    const notifier = await createNotifier()
    const silent = await createReceiver(() => {})
    const broken = await createReceiver((response) => response.destroy())
    for (const url of [silent.url, broken.url, 'http://127.0.0.1:9/', 'http://no-such-host.invalid/']) {
      await notifier.addEvent(await notifier.addWebhook(url))
    }
    await notifier.createWork({ timeoutMs: 2_000 }).deliver()
    expect((await notifier.deliveries()).map((row) => row.last_error)).toEqual([
      'no answer in 2 s',
      'connection reset',
      'connection refused',
      'host not found',
    ])
  })

  test.each(['connection: upgrade\r\nupgrade: websocket\r\n', ''])(
    'fails if the receiver switches to another protocol, and leaves its place to others (%j)',
    async (headers) => {
      const notifier = await createNotifier()
      const server = createServer((socket) => {
        socket.on('error', () => {})
        socket.once('data', () => socket.write(`HTTP/1.1 101 Switching Protocols\r\n${headers}\r\n`))
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      onTestFinished(() => void server.close())
      await notifier.addEvent(await notifier.addWebhook(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`))
      // It ends when nothing is in flight any more.
      await notifier.createWork().deliver()
      expect(await notifier.deliveries()).toMatchObject([
        { attempts: 1, last_status: 101, last_error: 'answered 101', next_attempt_at: expect.any(Date) },
      ])
    },
  )

  test('counts as made when the status says so, however long the body of the response is', async () => {
    const notifier = await createNotifier()
    const receiver = await createReceiver((response) => {
      response.writeHead(200)
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(16_384)));
      }
      response.on('drain', more)
      more()
    })
    await notifier.addEvent(await notifier.addWebhook(receiver.url))
    await notifier.createWork().deliver()
    expect(await notifier.deliveries()).toMatchObject([{ last_status: 200, delivered_at: expect.any(Date) }])
  })

  test('does not wait for other webhooks, and only one is made to a webhook at a time', async () => {
    const notifier = await createNotifier()
    let release = () => {}
    const slow = await createReceiver((response) => {
      release = () => response.writeHead(204).end()
    })
    const quick = await createReceiver()
    const [one, other] = [await notifier.addWebhook(slow.url), await notifier.addWebhook(quick.url)]
    await notifier.addEvent(one, other)
    await notifier.addEvent(one, other)
    const [first, second] = [notifier.createWork().work, notifier.createWork().work]
    await vi.waitFor(async () => {
      await Promise.all([first.begin(), second.begin()])
      expect(quick.received).toHaveLength(2)
      expect(slow.received).toHaveLength(1)
    }, patience)
    await Promise.all([first.begin(), second.begin()])
    expect(slow.received).toHaveLength(1)
    release()
    await vi.waitFor(async () => {
      await first.begin()
      expect(slow.received).toHaveLength(2)
    }, patience)
    release()
  })

  test('is made once by several instances that look for it at the same time', async () => {
    const notifier = await createNotifier()
    const receiver = await createReceiver()
    const webhooks = await Promise.all(Array.from({ length: 15 }, () => notifier.addWebhook(receiver.url)))
    const event = await notifier.addEvent(...webhooks)
    const instances = [1, 2, 3].map(() => notifier.createWork({ db: notifier.connect() }))
    await Promise.all(instances.map(({ deliver }) => deliver()))
    expect(receiver.ids()).toEqual(webhooks.map(() => event))
  })
})

describe('a delivery is made again with the same id', () => {
  test('when its process was killed while the receiver worked', async () => {
    const notifier = await createNotifier()
    const receiver = await createReceiver((response, number) => {
      if (number > 0) response.writeHead(204).end()
    })
    const event = await notifier.addEvent(await notifier.addWebhook(receiver.url))
    const killed = notifier.startProgram()
    await vi.waitFor(() => expect(receiver.received).toHaveLength(1), patience)
    killed.kill('SIGKILL')
    await once(killed, 'exit')
    expect(await notifier.deliveries()).toMatchObject([
      { attempts: 1, last_error: 'the attempt did not end', delivered_at: null },
    ])
    // Nobody else takes it while the first one may still be at it.
    await notifier.createWork().deliver()
    expect(receiver.received).toHaveLength(1)
    await notifier.makeDue()
    notifier.startProgram()
    await vi.waitFor(async () => {
      expect(await notifier.deliveries()).toMatchObject([{ attempts: 2, delivered_at: expect.any(Date) }])
    }, patience)
    expect(receiver.ids()).toEqual([event, event])
  })

  test('when the database was gone before the outcome could be recorded', async () => {
    const notifier = await createNotifier()
    const { hostname, port } = new URL(notifier.notifierUrl)
    const server = { host: hostname, port: Number(port) }
    let proxy = await TcpProxy.open(server)
    onTestFinished(() => proxy.close())
    const url = new URL(notifier.notifierUrl)
    url.host = `127.0.0.1:${proxy.port}`
    const receiver = await createReceiver((response, number) => {
      if (number === 0) void proxy.close().then(() => response.writeHead(204).end())
      else response.writeHead(204).end()
    })
    const event = await notifier.addEvent(await notifier.addWebhook(receiver.url))
    const { work, deliver } = notifier.createWork({ db: notifier.connect(url.href) })
    await deliver()
    expect(await notifier.deliveries()).toMatchObject([{ attempts: 1, delivered_at: null }])
    await expect(work.begin()).rejects.toThrow()
    proxy = await TcpProxy.open(server, Number(url.port))
    await notifier.makeDue()
    await deliver()
    expect(await notifier.deliveries()).toMatchObject([{ attempts: 2, delivered_at: expect.any(Date) }])
    expect(receiver.ids()).toEqual([event, event])
  })
})

describe('a webhook', () => {
  test('is disabled when a delivery is given up, keeps its events, and gets them when it is enabled', async () => {
    const notifier = await createNotifier()
    let status = 500
    const receiver = await createReceiver((response) => response.writeHead(status).end())
    const webhook = await notifier.addWebhook(receiver.url)
    const event = await notifier.addEvent(webhook)
    await notifier.ask('update webhook_deliveries set attempts = 9')
    const { deliver } = notifier.createWork()
    await deliver()
    expect(await notifier.deliveries()).toMatchObject([{ attempts: 10, next_attempt_at: null, delivered_at: null }])
    expect(await notifier.ask('select disabled_because from webhooks')).toEqual([{ disabled_because: 'failing' }])
    expect(await notifier.ask('select actor, action, subject, detail from audit_log')).toEqual([
      {
        ...{ actor: 'system', action: 'webhook.disable', subject: webhook },
        detail: { because: 'failing', error: 'answered 500' },
      },
    ])
    const later = await notifier.addEvent(webhook)
    await deliver()
    expect(receiver.received).toHaveLength(1)
    status = 204
    await notifier.ask('update webhooks set disabled_at = null, disabled_because = null')
    await notifier.ask('update webhook_deliveries set attempts = 0, next_attempt_at = now()')
    await deliver()
    await deliver()
    expect(receiver.ids()).toEqual([event, event, later])
  })

  test('is not disabled for one event that its receiver does not accept', async () => {
    const notifier = await createNotifier()
    const receiver = await createReceiver((response, number) => response.writeHead(number === 0 ? 204 : 400).end())
    const webhook = await notifier.addWebhook(receiver.url)
    await notifier.addEvent(webhook)
    await notifier.addEvent(webhook)
    const { deliver } = notifier.createWork()
    await deliver()
    await notifier.ask('update webhook_deliveries set attempts = 9 where delivered_at is null')
    await deliver()
    expect(await notifier.deliveries()).toMatchObject([{ last_status: 204 }, { attempts: 10, next_attempt_at: null }])
    expect(await notifier.ask('select disabled_because from webhooks')).toEqual([{ disabled_because: null }])
  })

  test('is disabled at once if its receiver says that it is gone', async () => {
    const notifier = await createNotifier()
    const receiver = await createReceiver((response) => response.writeHead(410).end())
    await notifier.addEvent(await notifier.addWebhook(receiver.url))
    await notifier.createWork().deliver()
    expect(await notifier.ask('select disabled_because from webhooks')).toEqual([{ disabled_because: 'gone' }])
    expect(await notifier.deliveries()).toMatchObject([{ attempts: 1, delivered_at: null }])
  })
})

test('the pauses after failed attempts grow, sum up to a day, and vary by a tenth', () => {
  const hours = (random: number) =>
    retryPausesMs.reduce((sum, _, place) => sum + (pauseAfter(place + 1, 0, () => random) as number), 0) / 3_600_000
  expect([hours(0), hours(0.5), hours(1)].map(Math.round)).toEqual([21, 24, 26])
  expect(pauseAfter(retryPausesMs.length + 1)).toBeUndefined()
  expect(pauseAfter(1, 60_000)).toBe(60_000)
  expect(pauseAfter(1, 10 * 86_400_000)).toBe(8 * 3_600_000)
})
