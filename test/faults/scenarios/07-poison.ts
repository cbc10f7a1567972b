import { setTimeout as sleep } from 'node:timers/promises'
import { topology } from '@clicktally/broker/topology.ts'
import { type Click, defaultProjectId } from '@clicktally/event/click.ts'
import type { ClickLoad, SentClick } from '@clicktally/load/click-load.ts'
import { clicksMessageType, encodeClick } from '@clicktally/message/clicks-message.ts'
import { until } from '@clicktally/testing/until.ts'
import { preloading } from '../changed-service.ts'
import { type FoundLetter, lettersSince, newestLetter } from '../dead-letters.ts'
import type { FaultSystem } from '../fault-system.ts'
import type { Scenario, Stage } from '../stage.ts'

/** Messages that cannot be counted: only they end in the dead letters, and healthy clicks are counted in time. */
export const scenario: Scenario = {
  number: 7,
  title: 'poison messages',
  async run(stage) {
    await unreadable(stage)
    await refused(stage)
    await killer(stage)
  },
}

interface Poison {
  readonly type: string | undefined
  readonly content: Buffer
  readonly reason: string
}

async function unreadable(stage: Stage): Promise<void> {
  const { system } = stage
  await stage.row('undecodable and unknown messages', async ({ broken, restored, expectDead, load }) => {
    const newest = await newestLetter(system.pool)
    const poisons: Poison[] = []
    const neighbours: SentClick[] = []
    broken()
    for (let round = 0; round < (stage.short ? 1 : 20); round += 1) {
      const messages = unreadableMessages(load)
      await publish(system, messages)
      poisons.push(...messages.map(({ poison }) => poison))
      neighbours.push(...messages.flatMap(({ healthy }) => healthy))
      expectDead(messages.length)
    }
    await untilDead(system, newest, poisons.length)
    await untilStored(system, neighbours)
    restored()
    const letters = await lettersSince(system.pool, newest)
    for (const { type, content, reason } of poisons) {
      const found = letters.find((letter) => letter.reason === reason && letter.content.equals(content))
      if (found?.type !== (type ?? null)) throw new Error(`no dead letter "${reason}" has what was published`)
    }
    await measureNeighbours(stage, load, 'undecodable messages')
  })
}

/** One message of each kind; only the last also contains healthy clicks. */
function unreadableMessages(load: ClickLoad) {
  const clicks = load.newClicks(5)
  const [first, second, third, fourth, fifth] = clicks as [SentClick, SentClick, SentClick, SentClick, SentClick]
  load.remember(clicks, true)
  const message = (reason: string, type: string | undefined, text: string) => {
    const content = Buffer.from(text, 'latin1')
    return { type, content, poison: { type, content, reason }, healthy: [] as SentClick[] }
  }
  const cut = encodeClick(asClick(fifth)).slice(0, -20)
  return [
    message('undecodable', clicksMessageType, `\xff\0 no click ${crypto.randomUUID()}`),
    message('undecodable', clicksMessageType, JSON.stringify({ ...asClick(first), target: 7 })),
    message('unknown_version', 'clicks.v0', encodeClick(asClick(second))),
    message('unknown_version', undefined, `{"made": "${crypto.randomUUID()}"}`),
    {
      type: clicksMessageType,
      content: Buffer.from([encodeClick(asClick(third)), cut, encodeClick(asClick(fourth))].join('\n')),
      poison: { type: clicksMessageType, content: Buffer.from(cut), reason: 'undecodable' },
      healthy: [third, fourth],
    },
  ]
}

const refusedBatchClicks = 500

async function refused(stage: Stage): Promise<void> {
  const { system } = stage
  await stage.row('database rejects 1 click in 1,000', async ({ broken, restored, expectDead, load }) => {
    const newest = await newestLetter(system.pool)
    const marked: SentClick[] = []
    const allow = await refuseMarked(system)
    broken()
    try {
      for (let batch = 0; batch < (stage.short ? 6 : 40); batch += 1) {
        const clicks = load.newClicks(refusedBatchClicks)
        if (batch % 2 === 0) {
          const place = Math.floor(Math.random() * clicks.length)
          const click = { ...clicks[place], target: `${clicks[place]?.target}${refusedMark}` } as SentClick
          clicks[place] = click
          marked.push(click)
          expectDead(1)
        }
        if (!(await load.send(clicks))) throw new Error('a batch with a marked click was not accepted')
        // 1,000 clicks/s, one of them rejected: a burst would measure how fast a backlog is processed instead.
        await sleep(500)
      }
      await untilDead(system, newest, marked.length)
    } finally {
      await allow()
      restored()
    }
    const letters = await lettersSince(system.pool, newest)
    for (const { id } of marked) {
      const letter = letters.find(({ clickIds }) => clickIds.includes(id))
      const holdsIt = letter?.clickIds.length === 1 && JSON.parse(letter.content.toString()).id === id
      if (!holdsIt || letter.reason !== 'refused_by_database' || !letter.detail.includes(refusal))
        throw new Error(`the rejected click ${id} has no separate dead letter with its reason`)
    }
    await measureNeighbours(stage, load, 'rejected clicks')
  })
}

const refusedMark = '-refused'
const refusal = 'refused for the fault suite'

/** Makes the database reject clicks on marked targets. The returned function ends it. */
async function refuseMarked({ pool }: FaultSystem): Promise<() => Promise<void>> {
  await pool.query(`
    create function refuse_marked() returns trigger language plpgsql as $$
    begin
      if new.target like '%${refusedMark}' then raise exception '${refusal}'; end if;
      return new;
    end $$`)
  await pool.query('create trigger refuse_marked before insert on clicks for each row execute function refuse_marked()')
  return async () => {
    await pool.query('drop function refuse_marked cascade')
  }
}

async function killer(stage: Stage): Promise<void> {
  const { system } = stage
  const mark = 'kills-on-sight'
  const processors = system.processors.map((name) => system.program(name))
  await stage.row('message that crashes its processor', async ({ broken, restored, expectDead, load }) => {
    const newest = await newestLetter(system.pool)
    const changes = {
      variables: preloading('crash-on-sight', { CRASH_ON_SIGHT: mark }),
      ...(stage.short && { longestWaitMs: 200 }),
    }
    const crashing = await Promise.all(processors.map(() => system.addProcessor(changes)))
    await Promise.all(processors.map((program) => program.stop()))
    try {
      const [click] = load.newClicks(1).map(({ id, target }) => ({ id, target: `${target}-${mark}` }))
      if (click === undefined) throw new Error('no click was made')
      load.remember([click], true)
      expectDead(1)
      broken()
      await publish(system, [{ type: clicksMessageType, content: Buffer.from(encodeClick(asClick(click))) }])
      await untilDead(system, newest, 1)
      restored()
      const [letter] = await lettersSince(system.pool, newest)
      if (letter?.reason !== 'delivery_limit' || letter.clickIds[0] !== click.id)
        throw new Error(
          `expected a dead letter of the message that crashes processors, got ${letter?.clickIds} (${letter?.reason})`,
        )
      const kills = crashing.reduce((sum, { program }) => sum + program.restarts, 0)
      stage.note(`The message that crashes its processor did so ${kills} times before the broker dead-lettered it.`)
      await measureNeighbours(stage, load, 'a message that crashes its processor')
    } finally {
      await Promise.all(processors.map((program) => program.start()))
      await Promise.all(crashing.map((each) => each.remove()))
    }
  })
}

function asClick({ id, target }: SentClick): Click {
  const nowMs = Date.now()
  return { id, projectId: defaultProjectId, target, occurredAtMs: nowMs, receivedAtMs: nowMs, requestId: 'fault-suite' }
}

/** Publishes messages without a producer and a sequence number. */
async function publish(
  system: FaultSystem,
  messages: readonly { readonly type: string | undefined; readonly content: Buffer }[],
): Promise<void> {
  await system.withChannel(async (channel) => {
    for (const { type, content } of messages) {
      const named = { messageId: crypto.randomUUID(), ...(type !== undefined && { type }) }
      const options = { ...named, persistent: true, mandatory: true }
      channel.publish(topology.exchange, topology.routingKey, content, options)
    }
    await channel.waitForConfirms()
  })
}

async function untilDead({ pool }: FaultSystem, newest: number, letters: number): Promise<FoundLetter[]> {
  await until(async () => (await lettersSince(pool, newest)).length >= letters, `${letters} dead letters`, 200)
  return await lettersSince(pool, newest)
}

async function untilStored({ pool }: FaultSystem, clicks: readonly SentClick[]): Promise<void> {
  const ids = clicks.map(({ id }) => id)
  await until(async () => {
    const { rows } = await pool.query<{ stored: number }>('select count(*) as stored from clicks where id = any($1)', [
      ids,
    ])
    return rows[0]?.stored === ids.length
  }, 'the healthy clicks in poison messages to be counted')
}

const neighboursWithinMs = 5_000

/** Records the longest time from receipt to count of the row's clicks. */
async function measureNeighbours(stage: Stage, load: ClickLoad, poison: string): Promise<void> {
  const { rows } = await stage.system.pool.query<{ slowest: number }>(
    `select coalesce(max(extract(epoch from counted_at - received_at)), 0)::float8 as slowest
     from clicks where target = any($1)`,
    [[...load.targets]],
  )
  const slowestMs = (rows[0]?.slowest ?? Number.NaN) * 1_000
  stage.promise(`healthy clicks next to ${poison} are counted`, neighboursWithinMs, slowestMs)
}
