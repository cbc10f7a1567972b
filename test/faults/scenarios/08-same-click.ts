import { setTimeout as sleep } from 'node:timers/promises'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import type { ClickLoad, SentClick } from '@clicktally/load/click-load.ts'
import { checkAsOf } from '../as-of.ts'
import { preloading, withVariables } from '../changed-service.ts'
import type { Scenario, Stage } from '../stage.ts'

/** Duplicates of a click: concurrent, minutes later, through other ingests, around midnight. It is counted once. */
export const scenario: Scenario = {
  number: 8,
  title: 'duplicate clicks',
  async run(stage) {
    await manyAtOnce(stage)
    await aroundMidnight(stage)
  },
}

/** Clicks in progress at a time; more would only wait for the ingests. */
const concurrency = 8

async function manyAtOnce(stage: Stage): Promise<void> {
  const clicks = stage.short ? 160 : 1_600
  let sendings = 0
  let allAccepted = false
  const row = await stage.row('each click sent 1 to 5 times, then again', async ({ load }) => {
    const sent: SentClick[] = []
    const attempt = async (body: readonly SentClick[]) => {
      sendings += body.length
      await load.attempt(body)
    }
    await concurrently(clicks, async (index) => {
      const [one, other] = load.newClicks(2) as [SentClick, SentClick]
      sent.push(one)
      // Requests alternate between the ingests, so copies of a click go through different ones.
      const copies = Array.from({ length: 1 + (index % 5) }, () => attempt([one]))
      if (index % 10 === 0) {
        sent.push(other)
        copies.push(attempt([one, other, one]), attempt([other, one]))
      }
      await Promise.all(copies)
    })
    await sleep(stage.short ? 1_000 : 120_000)
    await concurrently(sent.length, async (index) => await attempt(sent.slice(index, index + 1)))
    sendings -= sent.length
    allAccepted = load.failures === 0
  })
  // If a request failed, the number of accepted copies is unknown.
  if (row !== undefined && allAccepted && row.duplicates !== sendings)
    throw new Error(`${row.duplicates} duplicates were skipped, but ${sendings} were sent`)
}

async function concurrently(count: number, act: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (next < count) {
        const index = next
        next += 1
        await act(index)
      }
    }),
  )
}

const dayMs = 86_400_000

/** Partitions also end at midnight UTC. */
async function aroundMidnight(stage: Stage): Promise<void> {
  const { system } = stage
  await stage.row(
    'duplicates around midnight',
    async ({ load }) => {
      const clicks = clicksAroundMidnight(load)
      const sendAll = async () =>
        await concurrently(clicks.length, async (index) => {
          const click = clicks[index] as SentClick
          const { id } = click
          // The same id with an occurredAt on either side of midnight.
          const elsewhere = { ...click, occurredAt: new Date(lastMidnight() + (index % 2) - 1).toISOString() }
          const copies = Array.from({ length: 1 + (index % 5) }, () => load.attempt([click]))
          await Promise.all([...copies, load.attempt([elsewhere]), load.attempt([{ id, target: click.target }])])
          if (!(await load.send([click]))) throw new Error(`the click ${id} was not accepted`)
        })
      await sendAll()
      const [, name = ''] = system.ingests
      const shiftMs = lastMidnight() + dayMs + 1_000 - Date.now()
      await withVariables(
        system.program(name),
        preloading('clock-shift', { CLOCK_SHIFT_MS: String(shiftMs) }),
        async () => {
          await sendAll()
          await checkAsOf(system, load)
        },
      )
      await sendAll()
    },
    { mayBeWrongBecause: 'the clock of an ingest is up to a day ahead and sets the time of receipt' },
  )
}

function lastMidnight(): number {
  return Math.floor(Date.now() / dayMs) * dayMs
}

/** Ids whose timestamp is at the last, the previous or the next midnight, or a millisecond before or after. */
function clicksAroundMidnight(load: ClickLoad): SentClick[] {
  const midnight = lastMidnight()
  const times = [midnight - dayMs, midnight, midnight + dayMs].flatMap((each) => [each - 1, each, each + 1])
  return times.flatMap((timeMs) => {
    const hex = timeMs.toString(16).padStart(12, '0')
    const time = `${hex.slice(0, 8)}-${hex.slice(8)}`
    const ids = [
      // The smallest and the largest of that millisecond.
      `${time}-7000-8000-000000000000`,
      `${time}-7fff-bfff-ffffffffffff`,
      ...Array.from({ length: 3 }, () => randomUuidV7(timeMs)),
    ]
    return load.newClicks(ids.length).map(({ target }, index) => ({ id: ids[index] ?? '', target }))
  })
}
