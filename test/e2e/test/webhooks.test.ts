import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { firstOwnerEmail, readFirstKeys } from '@clicktally/keys/first-keys.ts'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { type System, startSystem } from '@clicktally/local/system.ts'
import { createReceiver } from '@clicktally/notifier/test/notifier-under-test.ts'
import { launchChromium } from '@clicktally/testing/chromium.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { Client } from 'pg'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'

let dir: string
let system: System

beforeAll(async () => {
  dir = await makeScratchFolder('webhooks')
  const variables = { CLICKTALLY_WEBHOOK_ADDRESSES: 'any' }
  system = await startSystem({ dir, port: 0, ingests: 1, processors: 1, variables, onLine: () => {} })
})

afterAll(async () => {
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

async function post<Answer>(path: string, body?: object): Promise<Answer> {
  const response = await fetch(new URL(path, system.baseUrl), {
    method: 'POST',
    headers: {
      authorization: `Bearer ${system.ownerKey}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${path} was answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as Answer
}

test('a webhook is told that a target passed a number of clicks, and the test event, each signed and once', async () => {
  const receiver = await createReceiver()
  const { webhook, secret } = await post<{ webhook: { id: string }; secret: string }>('/v1/webhooks', {
    url: receiver.url,
  })
  const { event } = await post<{ event: string }>(`/v1/webhooks/${webhook.id}/test`)
  await vi.waitFor(() => expect(receiver.ids()).toEqual([event]), patience)

  const threshold = { target: 'signup', type: 'reached', clicks: 2, windowMinutes: 60 }
  const { id } = await post<{ id: string }>('/v1/thresholds', threshold)
  const occurredAt = new Date(Date.now() - 20 * 60_000).toISOString()
  for (const target of ['signup', 'signup', 'other']) await post('/v1/events', { target, occurredAt })
  await vi.waitFor(async () => {
    const counts = await fetch(new URL('/v1/counts', system.baseUrl), {
      headers: { authorization: `Bearer ${system.ownerKey}` },
    })
    expect(await counts.json()).toMatchObject({ total: 3 })
  }, patience)
  // As if it had been created half an hour ago.
  const client = new Client({ connectionString: system.postgresUrl })
  await client.connect()
  await client.query(
    `update thresholds set starts_at = starts_at - interval '30 min', judged_through = starts_at - interval '30 min'`,
  )
  await client.end()
  await vi.waitFor(() => expect(receiver.received).toHaveLength(2), patience)
  const [, told] = receiver.received
  expect(new Webhook(secret).verify(told?.body ?? '', told?.headers as Record<string, string>)).toMatchObject({
    type: 'threshold.reached',
    data: { threshold: id, project: 'default', target: 'signup', atLeast: 2, clicks: 2 },
  })
})

test('an owner creates a webhook and a threshold on the page, tries the webhook, and sees what became of it', async () => {
  const receiver = await createReceiver((response, number) => response.writeHead(number === 0 ? 500 : 204).end())
  const browser = await launchChromium()
  onTestFinished(() => browser.close())
  const page = await browser.newPage({ baseURL: system.baseUrl })
  page.setDefaultTimeout(patience.timeout)
  await page.goto('/settings?section=webhooks')
  await page.getByLabel('Email address').fill(firstOwnerEmail)
  await page.getByLabel('Password').fill(readFirstKeys(join(system.secretsDir, 'operator')).password)
  await page.getByRole('button', { name: 'Sign in' }).click()

  await page.getByLabel('Where events are sent').fill(receiver.url)
  await page.getByRole('button', { name: 'Create the webhook' }).click()
  expect(await page.locator('.created code').textContent()).toMatch(/^whsec_/)
  const row = page.getByRole('row', { name: receiver.url })
  await row.getByRole('button', { name: 'Test' }).click()
  await row.getByRole('button', { name: 'Send a test event?' }).click()
  await row.getByText(/^failing: answered 500; next attempt/).waitFor()
  await row.getByRole('button', { name: 'Deliveries' }).click()
  await page.getByText('delivered: 204').waitFor()
  expect(receiver.received).toHaveLength(2)

  await page.getByLabel('At least').fill('100')
  await page.getByLabel('Within minutes').fill('60')
  await page.getByRole('button', { name: 'Create the threshold' }).click()
  await page.getByRole('cell', { name: '100 clicks or more in 60 min' }).waitFor()
})
