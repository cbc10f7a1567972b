import { ProducerLedger } from '@clicktally/broker/producer-ledger.ts'
import { readBalance } from '@clicktally/database/balance.ts'
import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import type { Click } from '@clicktally/event/click.ts'
import { clicksMessageType, encodeClick } from '@clicktally/message/clicks-message.ts'
import { stampHeaders } from '@clicktally/message/ledger-stamp.ts'
import { encodeShort } from '@clicktally/message/short-line.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { withinTime } from '@clicktally/testing/within-time.ts'
import type { ConsumeMessage } from 'amqplib'
import fc from 'fast-check'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ProcessingMetrics } from '../processing-metrics.ts'
import { BatchWriter } from '../queue/batch-writer.ts'
import { BinaryCopy } from '../rows/binary-copy.ts'
import { readClicks, readDeadLetter } from '../rows/consumed-message.ts'
import { ClickStore } from '../store/click-store.ts'
import { createClick } from './processor-under-test.ts'

const logger = pino({ level: 'silent' })
const never = new AbortController().signal

/** Of eight clicks that may come again and again, the last two are refused by the database. */
const poolSize = 8
const refused = [6, 7]

/** What became of a message that was published: only what the broker has can be delivered. */
const outcomes = ['confirmed', 'refused', 'arrived, not confirmed', 'lost, not confirmed'] as const

const some = fc.nat({ max: 3 })
const happening = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      does: fc.constant('publish' as const),
      clicks: fc.array(fc.nat({ max: poolSize - 1 }), { minLength: 1, maxLength: 5 }),
      outcome: fc.constantFrom('confirmed' as const, 'confirmed' as const, 'confirmed' as const, ...outcomes),
    }),
  },
  // Delivered to a processor that acknowledges, or crashes after the commit, or to two at once (one of them cut off).
  {
    weight: 5,
    arbitrary: fc.record({
      does: fc.constantFrom('deliver' as const, 'deliver, crash' as const, 'deliver to two' as const),
      from: some,
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ does: fc.constantFrom('give up' as const, 'give up, but write' as const), from: some }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('vanish' as const), from: some }) },
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constantFrom('reconnect' as const, 'fold' as const, 'fold, none is heard' as const),
    }),
  },
)

interface Published {
  readonly message: ConsumeMessage
  readonly clicks: readonly Click[]
  readonly confirmed: boolean
  /** The number of its connection. */
  readonly connection: number
}

describe('the store, for any sequence of events', () => {
  test('counts each click once and accounts for every message, like a ten-line model', async () => {
    const { ownerUrl, processorUrl } = await createTestDatabase()
    const limits = { name: 'test', logger, maxConnections: 3, statementTimeoutMs: 5_000 }
    const owner = createPool({ ...limits, url: ownerUrl })
    const pool = createPool({ ...limits, url: processorUrl })
    onTestFinished(async () => {
      await pool.end()
      await owner.end()
    })
    await owner.query(`
      create function refuse() returns trigger language plpgsql as
        $$ begin if new.target = 'refused' then raise exception 'refused'; end if; return new; end $$;
      create trigger refuse before insert on clicks for each row execute function refuse()`)
    const db = createDatabase(owner)
    const metrics = new ProcessingMetrics(new Registry())
    const writers = [1, 2].map(
      () => new BatchWriter({ store: new ClickStore(pool), metrics, logger, holdWhileAwayMs: 1_000 }),
    )
    const write = async (number: number, messages: ConsumeMessage[], read = readClicks) => {
      const writer = writers[number]
      const rows = new BinaryCopy()
      const taken = messages.map((message) => read(message, rows))
      await writer?.write(writer.prepare(taken), never)
    }

    await fc.assert(
      fc.asyncProperty(
        fc.array(happening, { minLength: 5, maxLength: 30 }),
        withinTime(25_000, async (happenings) => {
          await owner.query(
            `truncate clicks, counter_deltas, minute_counters, hour_counters, day_counters, month_counters,
             messages, producers, unsettled_messages, dead_letters;
           update ledger_totals set clicks = 0, counted = 0, duplicates = 0`,
          )
          const receivedAtMs = Date.now()
          const clicks = Array.from({ length: poolSize }, (_, index) =>
            createClick({
              receivedAtMs,
              target: refused.includes(index) ? 'refused' : `target-${index % 3}`,
              ...(index % 4 > 0 && { visitorId: `visitor-${index % 2}` }),
              ...(index % 5 === 0 && { bot: true }),
            }),
          )
          let ledger = new ProducerLedger()
          let connection = 0
          const queue: Published[] = []
          const written = new Set<Published>()
          const vanished = new Set<Published>()
          const givenUp = new Set<Published>()
          const publish = (chosen: readonly Click[], outcome: (typeof outcomes)[number]) => {
            const stamp = ledger.stamp(chosen.length)
            const properties = { type: clicksMessageType, headers: stampHeaders(stamp) }
            const content = Buffer.from(
              chosen.map((click, index) => (index % 3 === 0 ? encodeClick(click) : encodeShort(click))).join('\n'),
            )
            const message = { properties, content } as unknown as ConsumeMessage
            if (outcome === 'confirmed') ledger.confirmed(stamp.sequence)
            if (outcome === 'refused') ledger.refused(stamp.sequence)
            const published = { message, clicks: chosen, confirmed: outcome === 'confirmed', connection }
            if (outcome === 'confirmed' || outcome === 'arrived, not confirmed') queue.push(published)
          }
          const deliver = async (taken: Published[], does: string) => {
            const messages = taken.map(({ message }) => message)
            await Promise.all([write(0, messages), does === 'deliver to two' && write(1, messages)])
            for (const published of taken) written.add(published)
            if (does === 'deliver, crash') queue.unshift(...taken)
          }

          for (const happens of happenings) {
            const { does } = happens
            if (does === 'publish') {
              publish(
                happens.clicks.map((index) => clicks[index] as Click),
                happens.outcome,
              )
            } else if (does === 'reconnect') {
              ledger = new ProducerLedger(ledger.close())
              connection += 1
            } else if (does === 'fold' || does === 'fold, none is heard') {
              const before = await readBalance(db)
              // As after an hour of silence: producers are finished of which something is yet to be heard.
              const silentFor = does === 'fold' ? '1 hour' : '0'
              await owner.query(`select fold_ledger('0', $1), fold_counters()`, [silentFor])
              expect({ ...(await readBalance(db)), overdue: 0 }).toEqual({ ...before, overdue: 0 })
            } else if ('from' in happens) {
              const taken = queue.splice(happens.from, 'count' in happens ? happens.count : 1)
              if (does === 'vanish') for (const published of taken) vanished.add(published)
              else if (does === 'give up' || does === 'give up, but write') {
                for (const published of taken) {
                  await write(0, [published.message], readDeadLetter)
                  givenUp.add(published)
                }
                if (does === 'give up, but write') await deliver(taken, does)
              } else await deliver(taken, does)
            }
            const { accepted, counted, duplicates, dead, discarded, inFlight } = await readBalance(db)
            expect(accepted).toBe(counted + duplicates + dead + discarded + inFlight)
            await expectTally(counted)
          }
          await deliver(queue.splice(0), 'deliver')
          // The connection ends: what has no outcome stays without, and the next connection tells it.
          ledger = new ProducerLedger(ledger.close())
          connection += 1
          publish([], 'confirmed')
          await deliver(queue.splice(0), 'deliver')

          // The model. What vanished is in flight for ever, if it was confirmed and never came before.
          const owed = [...vanished.difference(written.union(givenUp))].filter(({ confirmed }) => confirmed)
          const arrived = [...written].flatMap((published) => published.clicks)
          const countable = new Set(arrived.filter(({ target }) => target !== 'refused'))
          const balance = await readBalance(db)
          // How a connection ended is told by the messages of the next. If all of these vanished, perhaps nobody knows it.
          const heard = new Set([...written, ...givenUp].map((published) => published.connection))
          const used = [...heard, ...[...vanished].map((published) => published.connection)].sort((a, b) => a - b)
          const isTold = (ended: number) => heard.has(used.find((later) => later > ended) ?? ended)
          expect(balance.inFlight).toBeLessThanOrEqual(sum(owed))
          expect(balance.inFlight).toBeGreaterThanOrEqual(sum(owed.filter((published) => isTold(published.connection))))
          expect(balance.counted).toBe(countable.size)
          expect(balance.accepted).toBe(balance.inFlight + sum(written.union(givenUp)))
          // Of whatever there was, nothing is left to be looked at but who owes something, and who told of it.
          await owner.query(`select fold_ledger('0', '0')`)
          await owner.query(`select fold_ledger('0', '0')`)
          expect({ ...(await readBalance(db)), overdue: 0 }).toEqual({ ...balance, overdue: 0 })
          const { rows: open } = await owner.query(`select from producers where not finished`)
          if (owed.length === 0 && balance.dead === 0) expect(open).toEqual([])
          await expectTally(countable.size)
        }),
      ),
      // On a machine that is busy with other tests, fewer.
      { numRuns: 40 },
    )

    async function expectTally(counted: number): Promise<void> {
      const { rows } = await owner.query(
        `select (select count(*) from clicks) as stored, (select coalesce(sum(total + bots), 0) from counters) as counted`,
      )
      expect(rows).toEqual([{ stored: counted, counted }])
      // To the minute and the visitor, whichever way it was written.
      const { rows: differences } = await owner.query(`
        with counter as (
          select project_id, target, minute, sum(total) as total, sum(bots) as bots,
            (select coalesce(array_agg(distinct hash), '{}') from counters as same, unnest(same.visitors) as hash
              where (same.project_id, same.target, same.minute) = (counters.project_id, counters.target, counters.minute)) as visitors
          from counters group by 1, 2, 3
        ), truth as (
          select project_id, target, minute, sum(total) as total, sum(bots) as bots,
            visitor_sketch(array_agg(distinct visitor) filter (where visitor is not null)) as visitors
          from clicks cross join lateral click_count(project_id, occurred_at, bot, visitor_id) group by 1, 2, 3
        )
        select * from counter full join truth using (project_id, target, minute)
        where (counter.total, counter.bots, counter.visitors) is distinct from (truth.total, truth.bots, truth.visitors)`)
      expect(differences).toEqual([])
    }
  })
})

function sum(published: Iterable<Published>): number {
  return Array.from(published).reduce((clicks, one) => clicks + one.clicks.length, 0)
}
