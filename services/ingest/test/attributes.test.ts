import { encodeAgent } from '@clicktally/dimensions/agent-codes.ts'
import { KeyRing } from '@clicktally/keys/key-ring.ts'
import { createTestBroker } from '@clicktally/testing/test-broker.ts'
import { describe, expect, test } from 'vitest'
import { openKey } from '../access/sender-access.ts'
import { RequestAttributes } from '../attributes/request-attributes.ts'
import { createIngest, drain, keys, pageOrigin, post, snapshotOfKeys } from './ingest-under-test.ts'

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0'
const firefoxCode = encodeAgent({ browser: 'Firefox', os: 'Linux', device: 'Desktop' })
const safari =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1'
const safariCode = encodeAgent({ browser: 'Safari', os: 'iOS', device: 'Mobile' })
const crawler = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'

const countries = { countryOf: (address: string) => (address === '192.0.2.1' ? 'FR' : undefined) }

async function createBench() {
  const broker = await createTestBroker()
  const ring = new KeyRing()
  const day = new Date().toISOString().slice(0, 10)
  const appKey = { ...keyOf('write'), id: 'app', hash: keys.read.hash, origins: ['*'] }
  const others = snapshotOfKeys().keys.filter(({ role }) => role !== 'read')
  ring.replace(snapshotOfKeys({ keys: [...others, appKey], visitorSalts: { [day]: 'A'.repeat(43) } }))
  const ingest = createIngest(await broker.urlAs('ingest'), {}, ring, new RequestAttributes('cf-ipcountry', countries))
  await ingest.ready()
  /** Sends one event and returns its click. */
  const click = async (event: object, headers: Record<string, string>) => {
    expect(await post(ingest.app, '/v1/events', { target: 't', ...event }, headers)).toMatchObject({ status: 202 })
    const { clicks } = await drain(broker)
    return clicks[0]
  }
  return { ...ingest, broker, click }
}

function keyOf(role: 'write' | 'secret') {
  const key = snapshotOfKeys().keys.find((each) => each.role === role)
  if (key === undefined) throw new Error('there is no such key')
  return key
}

describe('the attributes of a click', () => {
  test('of a page are those of the request', async () => {
    const { click } = await createBench()
    const asPage = { authorization: `Bearer ${keys.write.text}`, origin: pageOrigin, 'x-forwarded-for': '192.0.2.1' }
    expect(await click({}, { ...asPage, 'user-agent': firefox })).toMatchObject({ agent: firefoxCode, country: 'FR' })
    const fromHeader = await click({}, { ...asPage, 'user-agent': safari, 'cf-ipcountry': 'jp' })
    expect(fromHeader).toMatchObject({ agent: safariCode, country: 'JP' })
    expect(fromHeader?.bot).toBeUndefined()
    // The header does not know the country, the file does.
    expect(await click({}, { ...asPage, 'cf-ipcountry': 'XX' })).toMatchObject({ country: 'FR' })
    const unknown = await click(
      {},
      { ...asPage, 'x-forwarded-for': '192.0.2.2', 'cf-ipcountry': 'T1', 'user-agent': '' },
    )
    expect([unknown?.country, unknown?.agent]).toEqual([undefined, undefined])
  })

  test('of a page name a bot, which has no derived visitor, unless the event says that it is none', async () => {
    const { click } = await createBench()
    const asCrawler = {
      ...{ authorization: `Bearer ${keys.write.text}`, origin: pageOrigin },
      ...{ 'x-forwarded-for': '192.0.2.1', 'user-agent': crawler },
    }
    const bot = await click({}, asCrawler)
    expect(bot).toMatchObject({ bot: true, agent: '000' })
    expect(bot?.visitorId).toBeUndefined()
    const person = await click({ bot: false }, asCrawler)
    expect(person?.bot).toBeUndefined()
    expect(person?.visitorId).toMatch(/^derived:/)
  })

  test('of an app are read from its user agent, but a library in it does not make a bot of a person', async () => {
    const { click } = await createBench()
    const asApp = { authorization: `Bearer ${keys.read.text}`, 'user-agent': 'okhttp/4.12.0 Android' }
    const sent = await click({}, asApp)
    expect([sent?.bot, sent?.agent]).toEqual([undefined, expect.stringMatching(/^.[0-9a-z]{2}$/)])
  })

  test('of an image are those of the request', async () => {
    const { app, broker } = await createBench()
    const headers = { referer: `${pageOrigin}/mail`, 'user-agent': safari, 'cf-ipcountry': 'JP' }
    await app.inject({ url: `/v1/p.gif?key=${keys.write.text}&target=image`, headers })
    // Proxies of mail programs fetch images for people.
    const asProxy = { ...headers, 'user-agent': `${firefox} (via ggpht.com GoogleImageProxy)` }
    await app.inject({ url: `/v1/p.gif?key=${keys.write.text}&target=mail`, headers: asProxy })
    const { clicks } = await drain(broker)
    expect(clicks.map(({ agent, country, bot }) => [agent, country, bot])).toEqual([
      [safariCode, 'JP', undefined],
      [firefoxCode, 'JP', undefined],
    ])
  })

  test('of a server are those that the event names, not those of the request', async () => {
    const { click } = await createBench()
    const asServer = { 'user-agent': 'curl/8.5.0', 'cf-ipcountry': 'US', 'x-forwarded-for': '192.0.2.1' }
    const without = await click({}, asServer)
    expect([without?.bot, without?.agent, without?.country]).toEqual([undefined, undefined, undefined])
    const named = await click({ userAgent: safari, country: 'DE' }, asServer)
    expect(named).toMatchObject({ agent: safariCode, country: 'DE' })
    expect(named).not.toHaveProperty('userAgent')
    expect(await click({ userAgent: crawler }, asServer)).toMatchObject({ bot: true })
    expect((await click({ userAgent: crawler, bot: false }, asServer))?.bot).toBeUndefined()
  })

  test('may be named only with a secret key', async () => {
    const { app } = await createBench()
    const asPage = { authorization: `Bearer ${keys.write.text}`, origin: pageOrigin }
    for (const event of [{ country: 'DE' }, { userAgent: firefox }]) {
      const { status, body } = await post(app, '/v1/events', { target: 't', ...event }, asPage)
      expect([status, body.code, body.field]).toEqual([422, 'secret_key_required', Object.keys(event)[0]])
    }
    const { status, body } = await post(app, '/v1/events', { target: 't', userAgent: 'a'.repeat(513) })
    expect([status, body.code, body.field]).toEqual([422, 'invalid_field', 'userAgent'])
  })

  test('in a batch and in a backfill are those of each event', async () => {
    const { app, broker } = await createBench()
    const events = [
      { target: 'a', userAgent: safari, country: 'DE' },
      { target: 'b', userAgent: crawler },
      { target: 'c', country: 'de' },
    ]
    expect((await post(app, '/v1/events/batch', { events })).body).toMatchObject({ accepted: 2, rejected: 1 })
    const old = { occurredAt: '2015-05-17T10:05:03Z' }
    await post(app, '/v1/backfill', { events: [{ target: 'a', userAgent: firefox, ...old }] })
    const { clicks } = await drain(broker)
    expect(clicks.map(({ agent, country, bot }) => [agent, country, bot])).toEqual([
      [safariCode, 'DE', undefined],
      ['000', undefined, true],
      [firefoxCode, undefined, undefined],
    ])
  })

  test('in open mode are those of the request only if a browser sent it', () => {
    const attributes = new RequestAttributes('cf-ipcountry', countries)
    const headers = { 'user-agent': firefox, 'x-forwarded-for': '192.0.2.1' }
    const ofCurl = attributes.of(openKey, headers)
    expect([ofCurl.agentOf?.(undefined), ofCurl.countryOf?.(), ofCurl.isServer]).toEqual([undefined, undefined, true])
    const ofBrowser = attributes.of(openKey, { ...headers, origin: 'http://localhost:8080' })
    expect(ofBrowser.agentOf?.(undefined)).toEqual({ code: firefoxCode, isBot: false })
    expect([ofBrowser.countryOf?.(), ofBrowser.isServer]).toEqual(['FR', true])
    expect(ofBrowser.agentOf?.(safari)).toMatchObject({ code: safariCode })
    expect(attributes.of(openKey, { ...headers, 'sec-fetch-site': 'same-site' }).countryOf?.()).toBe('FR')
  })

  test('do not read the address or any header of a country unless the operator chose it', () => {
    const headers = { 'cf-ipcountry': 'DE', 'x-forwarded-for': '192.0.2.1' }
    expect(new RequestAttributes().of(keyOf('write'), headers).countryOf).toBeUndefined()
    expect(new RequestAttributes('cf-ipcountry').of(keyOf('write'), headers).countryOf?.()).toBe('DE')
    expect(new RequestAttributes('x-country').of(keyOf('write'), headers).countryOf?.()).toBeUndefined()
    expect(new RequestAttributes(undefined, countries).of(keyOf('write'), headers).countryOf?.()).toBe('FR')
  })

  test('never bring a user agent or an address into the message', async () => {
    const { app, broker } = await createBench()
    const secret = 'Secret-Agent/007'
    const asPage = { authorization: `Bearer ${keys.write.text}`, origin: pageOrigin }
    const events = [{ target: 'a' }]
    await post(app, '/v1/events/batch', { events }, { ...asPage, 'user-agent': secret, 'x-forwarded-for': '192.0.2.1' })
    await post(app, '/v1/events', { target: 'b', userAgent: secret })
    await post(app, '/v1/backfill', {
      events: [{ target: 'c', userAgent: secret, occurredAt: '2015-05-17T10:05:03Z' }],
    })
    let read = ''
    for (let clicks = 0; clicks < 3; ) {
      const message = await broker.channel.get('clicks', { noAck: true })
      if (message === false) throw new Error('there is no message')
      clicks += Number(message.properties.headers?.clicks)
      read += message.content.toString() + JSON.stringify(message.properties)
    }
    expect(read).toContain('"agent":"')
    expect(read).not.toContain('Secret')
    expect(read).not.toContain('192.0.2')
  })
})
