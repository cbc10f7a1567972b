import { describe, expect, test } from 'vitest'
import { isPublicAddress } from '../deliveries/public-address.ts'
import { createNotifier, createReceiver } from './notifier-under-test.ts'

describe('a webhook may not lead to', () => {
  test.each([
    'https://127.0.0.1/',
    'https://2130706433/',
    'https://localhost/',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://0.0.0.0/',
    'https://169.254.169.254/latest/meta-data/',
    'https://10.0.0.1/',
    'https://[fd00::1]/',
    'https://[fe80::1]/',
    'http://192.0.2.1/',
  ])('%s', async (url) => {
    const notifier = await createNotifier()
    await notifier.addEvent(await notifier.addWebhook(url))
    await notifier.createWork({ addresses: 'public' }).deliver()
    const [row] = await notifier.deliveries()
    expect(row).toMatchObject({ attempts: 1, last_status: null, delivered_at: null })
    expect(row?.last_error).toMatch(/ is not a public address$/)
  })

  test('a name that resolves to this machine; no connection is opened', async () => {
    const notifier = await createNotifier()
    const receiver = await createReceiver()
    for (const url of [receiver.url, `http://localhost:${receiver.port}/`]) {
      await notifier.addEvent(await notifier.addWebhook(url.replace('http:', 'https:')))
    }
    await notifier.createWork({ addresses: 'public' }).deliver()
    expect(receiver.connections()).toBe(0)
    expect((await notifier.deliveries()).map((row) => row.last_error)).toEqual([
      '127.0.0.1 is not a public address',
      'localhost is not a public address',
    ])
  })

  test('where its receiver redirects to', async () => {
    const notifier = await createNotifier()
    const other = await createReceiver()
    const locations = ['http://169.254.169.254/latest/meta-data/', other.url]
    const receiver = await createReceiver((response, number) =>
      response.writeHead(302, { location: locations[number] }).end(),
    )
    for (const _ of locations) await notifier.addEvent(await notifier.addWebhook(receiver.url))
    await notifier.createWork().deliver()
    expect(receiver.received).toHaveLength(2)
    expect(other.connections()).toBe(0)
    for (const row of await notifier.deliveries()) {
      expect(row).toMatchObject({ last_status: 302, last_error: 'answered 302; redirects are not followed' })
    }
  })
})

test.each([
  ...['8.8.8.8', '93.184.216.34', '2606:4700:4700::1111', '2a00:1450:4001:82a::200e'].map(
    (text) => [text, true] as const,
  ),
  ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '127.255.255.254', '169.254.169.254', '172.16.0.1'].map(
    (text) => [text, false] as const,
  ),
  ...['192.168.1.1', '192.0.2.1', '198.18.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'].map(
    (text) => [text, false] as const,
  ),
  ...[
    '::',
    '::1',
    '::ffff:8.8.8.8',
    '::ffff:7f00:1',
    '64:ff9b::7f00:1',
    'fc00::1',
    'fe80::1',
    'fec0::1',
    'ff02::1',
  ].map((text) => [text, false] as const),
  ...['2001:db8::1', '2001::1', '2002:7f00:1::', '100::1', '', 'localhost', '1.2.3', '127.1', 'fe80::1%eth0'].map(
    (text) => [text, false] as const,
  ),
])('the address "%s" is public: %s', (text, isPublic) => {
  expect(isPublicAddress(text)).toBe(isPublic)
})
