import { setTimeout as sleep } from 'node:timers/promises'
import { randomUuidV7 } from '@clicktally/contract/uuid-v7.ts'
import type { ClickLoad, SentClick } from '@clicktally/e2e/click-load.ts'
import { checkAsOf } from '../as-of.ts'
import { preloading, withVariables } from '../changed-service.ts'
import type { Scenario, Stage } from '../stage.ts'

/** The same click, again and again: at once, minutes later, through other ingests, around midnight. Counted once. */
export const scenario: Scenario = {
  number: 8,
  title: 'the same click sent again',
  async run(stage) {
    await manyAtOnce(stage)
    await aroundMidnight(stage)
  },
}

/** Runs at once that send a click each; more would only wait for the ingests. */
const lanes = 8

async function manyAtOnce(stage: Stage): Promise<void> {
  const clicks = stage.short ? 160 : 1_600
  let sendings = 0
  let allAccepted = false
  const row = await stage.row('a click 1 to 5 times at once, and again', async ({ load }) => {
    const sent: SentClick[] = []
    const attempt = async (body: readonly SentClick[]) => {
      sendings += body.length
      await load.attempt(body)
    }
    await inLanes(clicks, async (index) => {
      const [one, other] = load.newClicks(2) as [SentClick, SentClick]
      sent.push(one)
      // The doors take turns: copies of a click go through different ingests.
      const copies = Array.from({ length: 1 + (index % 5) }, () => attempt([one]))
      if (index % 10 === 0) {
        sent.push(other)
        copies.push(attempt([one, other, one]), attempt([other, one]))
      }
      await Promise.all(copies)
    })
    await sleep(stage.short ? 1_000 : 120_000)
    await inLanes(sent.length, async (index) => await attempt(sent.slice(index, index + 1)))
    sendings -= sent.length
    allAccepted = load.failures === 0
  })
  // Where an answer is missing it is not known how often a click was taken.
  if (allAccepted && row.duplicates !== sendings)
    throw new Error(`${row.duplicates} duplicates were skipped, where ${sendings} were sent`)
}

async function inLanes(count: number, act: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      while (next < count) {
        const index = next
        next += 1
        await act(index)
      }
    }),
  )
}

const dayMs = 86_400_000

/** Partitions end at midnight UTC too. */
async function aroundMidnight(stage: Stage): Promise<void> {
  const { system } = stage
  await stage.row(
    'the same around midnight',
    async ({ load }) => {
      const clicks = clicksAroundMidnight(load)
      const sendAll = async () =>
        await inLanes(clicks.length, async (index) => {
          const click = clicks[index] as SentClick
          const { id } = click
          // The same id on either side of midnight, by what the client says of its time.
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
    { mayLieBecause: 'an ingest runs with a clock that is up to a day ahead, and receipts are in its clock' },
  )
}

function lastMidnight(): number {
  return Math.floor(Date.now() / dayMs) * dayMs
}

/** Ids whose own time is at, and a millisecond before and after, the midnights that an id may be around now. */
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
