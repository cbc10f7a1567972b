import { randomUUID } from 'node:crypto'
import { clickColumns } from '@clicktally/database/click-columns.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { createClickCheck } from '@clicktally/event/click-check.ts'
import { type EventField, eventFields } from '@clicktally/event/event-fields.ts'
import { createSizeBound } from '@clicktally/event/event-size.ts'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { ClickLine } from '@clicktally/message/click-line.ts'
import { clicksMessageType, encodeClick } from '@clicktally/message/clicks-message.ts'
import { stampHeaders } from '@clicktally/message/ledger-stamp.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import type { ConsumeMessage } from 'amqplib'
import { pino } from 'pino'
import { describe, expect, onTestFinished, test } from 'vitest'
import { BinaryCopy } from '../rows/binary-copy.ts'
import { ClickBatch } from '../rows/click-batch.ts'
import { createClickReader, type DeadLetter, readClicks } from '../rows/consumed-message.ts'
import { createPartitionsAround } from '../store/click-partitions.ts'
import { ClickStore } from '../store/click-store.ts'

const campaign: EventField = {
  name: 'campaign',
  column: 'utm_campaign',
  type: 'text',
  optional: true,
  maxChars: 20,
  description: 'The campaign that led here.',
}
/** Among the other optional texts, not behind them. */
const fields = eventFields.flatMap((field): EventField[] => (field.name === 'url' ? [campaign, field] : [field]))

const check = createClickCheck(fields)
const receivedAtMs = Date.now()
const receipt = {
  projectId: 1,
  requestId: 'request-1',
  receivedAtMs,
  startedAtMs: receivedAtMs,
  windowMs: 3_600_000,
  makeId: () => randomUuidV7(receivedAtMs),
}

function checked(event: object) {
  const result = check(event, receipt)
  if (!('click' in result)) throw new Error(result.detail)
  return result.click
}

const event = {
  target: 'button',
  visitorId: 'visitor',
  campaign: 'spring – 日本',
  url: 'https://example.com/',
  props: { plan: 'pro' },
  bot: true,
}

describe('an optional text that is added to the table of fields', () => {
  test('is checked like the others', () => {
    expect(checked(event)).toMatchObject({ campaign: 'spring – 日本' })
    expect(check({ target: 'button', campaign: 'c'.repeat(21) }, receipt)).toMatchObject({
      code: 'invalid_field',
      field: 'campaign',
    })
    expect(check({ target: 'button', campaign: 'nul\0' }, receipt)).toMatchObject({
      code: 'nul_character',
      field: 'campaign',
    })
    expect(check({ target: 'button', campaign: '\ud800' }, receipt)).toMatchObject({ code: 'lone_surrogate' })
    expect(check({ target: 'button', unknown: 'x' }, receipt)).toMatchObject({ code: 'unknown_field' })
  })

  test('counts towards the size of the event', () => {
    const isLarge = createSizeBound(fields)
    expect(isLarge(checked(event))).toBe(false)
    const long = { ...checked(event), campaign: 'c'.repeat(6_000) }
    expect([isLarge(long), createSizeBound(eventFields)(long)]).toEqual([true, false])
  })

  test('is read from the line without decoding it, up to its greatest length', () => {
    const line = new ClickLine(fields)
    const isRead = (change: object) => {
      const content = Buffer.from(encodeClick(checked({ ...event, ...change })))
      return line.read(content, 0, content.length)
    }
    expect([isRead({}), isRead({ campaign: 'c'.repeat(20) })]).toEqual([true, true])
    expect(isRead({ campaign: '"' })).toBe(false)
    const content = Buffer.from(encodeClick(checked(event)))
    expect(new ClickLine().read(content, 0, content.length)).toBe(false)
  })

  test('is undecodable where it is too long, so that no column gets more than it may', () => {
    const read = createClickReader(fields)
    const click = { ...checked(event), campaign: 'c'.repeat(21) }
    const message = { properties: { type: clicksMessageType, headers: {} }, content: Buffer.from(encodeClick(click)) }
    const { clicks, deadLetters } = read(message as unknown as ConsumeMessage, new BinaryCopy())
    expect([clicks.length, deadLetters[0]?.detail]).toEqual([0, expect.stringContaining('/campaign')])
    // A processor of an earlier version does not know the field, and loses no click.
    expect(readClicks(message as unknown as ConsumeMessage, new BinaryCopy()).clicks).toHaveLength(1)
  })

  test('is stored with COPY and with the statement, whether its line was scanned or decoded', async () => {
    const { ownerUrl, processorUrl } = await createTestDatabase()
    const limits = { name: 'test', logger: pino({ level: 'silent' }), maxConnections: 2, statementTimeoutMs: 5_000 }
    const owner = createPool({ ...limits, url: ownerUrl })
    const pool = createPool({ ...limits, url: processorUrl })
    onTestFinished(async () => {
      await pool.end()
      await owner.end()
    })
    await owner.query(`alter table clicks add column ${campaign.column} ${campaign.type}`)
    await createPartitionsAround(pool, receivedAtMs)

    const store = new ClickStore(pool, { fields })
    const read = createClickReader(fields)
    const scanned = [checked(event), checked({ target: 'button' }), checked({ ...event, campaign: '' })]
    // An escape sends these lines to the decoder.
    const decoded = [checked({ ...event, campaign: 'a "b"' }), checked({ ...event, target: '\\' })]
    const letter: DeadLetter = {
      reason: 'r',
      detail: 'd',
      type: 't',
      content: Buffer.from('c'),
      clicks: 1,
      clickIds: [],
      clickProjects: [],
      requestId: undefined,
    }
    const producer = randomUUID()
    const columns = clickColumns(fields)
    const columnNames = columns.map(({ name }) => name).join(', ')
    for (const deadLetters of [[], [letter]]) {
      const clicks = [...scanned, ...decoded].map((click) => ({ ...click, id: randomUuidV7(receivedAtMs) }))
      const sequence = deadLetters.length + 1
      const stamp = { producer, sequence, clicks: clicks.length + deadLetters.length, settled: 0, confirmed: 0 }
      const properties = { type: clicksMessageType, headers: stampHeaders(stamp) }
      const content = Buffer.from(clicks.map(encodeClick).join('\n'))
      const message = read({ properties, content } as unknown as ConsumeMessage, new BinaryCopy())
      const batch = new ClickBatch([{ ...message, deadLetters }])
      expect(batch.isCopyable).toBe(deadLetters.length === 0)
      expect(await store.count(batch)).toEqual({ counted: clicks.length, duplicates: 0 })

      const { rows } = await owner.query(`select ${columnNames} from clicks where id = any($1::uuid[]) order by id`, [
        clicks.map(({ id }) => id),
      ])
      const expected = clicks
        .toSorted((a, b) => (a.id < b.id ? -1 : 1))
        .map((click) => ({
          // Further fields of the table, which these clicks do not have.
          ...Object.fromEntries(columns.map(({ name }) => [name, null])),
          id: click.id,
          project_id: 1,
          occurred_at: new Date(receivedAtMs),
          received_at: new Date(receivedAtMs),
          bot: click.bot === true,
          target: click.target,
          visitor_id: click.visitorId ?? null,
          utm_campaign: (click as { campaign?: string }).campaign ?? null,
          url: click.url ?? null,
          referrer: null,
          props: click.props ?? null,
        }))
      expect(rows).toEqual(expected)
    }
  })
})
