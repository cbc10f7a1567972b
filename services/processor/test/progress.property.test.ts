import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ModelProcess, ProgressModel } from './progress-model.ts'

/** What may happen, in any order; `of` chooses the process, or the connection. */
const kinds = {
  accept: 4,
  assign: 6,
  receive: 4,
  commit: 5,
  next: 25,
  pass: 5,
  lose: 1,
  drop: 2,
  crash: 1,
  start: 2,
  handBack: 1,
  leader: 1,
  stall: 2,
} as const
type Kind = keyof typeof kinds

const happening = fc.record({
  does: fc.oneof(...Object.entries(kinds).map(([kind, weight]) => ({ weight, arbitrary: fc.constant(kind as Kind) }))),
  of: fc.nat({ max: 11 }),
  ms: fc.oneof(fc.nat({ max: 250 }), fc.nat({ max: 2_500 })),
  seed: fc.nat(),
})

type Happening = typeof happening extends fc.Arbitrary<infer Value> ? Value : never

async function apply(model: ProgressModel, { does, of, ms, seed }: Happening): Promise<void> {
  const process = model.processes[of % Math.max(1, model.processes.length)]
  const consumer = of % 4 === 3 ? process?.suspect : process?.clicks
  switch (does) {
    case 'accept':
      return model.accept(ms % 50)
    case 'assign':
      if (consumer?.connection !== undefined) model.assign(consumer.connection)
      return
    case 'receive':
      return consumer?.receive()
    case 'commit':
      return consumer?.commit()
    case 'next':
      // Seldom all that it does in a report, which takes about ten steps.
      for (let step = 0; step <= ms % 12; step += 1) await process?.next()
      return
    case 'pass':
      return model.pass(ms)
    case 'lose':
      return consumer?.lose()
    case 'drop': {
      const connections = [...model.connections.values()]
      const connection = connections[of % Math.max(1, connections.length)]
      if (connection !== undefined) model.drop(connection)
      return
    }
    case 'crash':
      return process?.crash()
    case 'start':
      if (model.processes.length < 3) model.processes.push(new ModelProcess(model))
      return
    case 'handBack':
      return consumer?.handBack()
    case 'leader':
      if (model.hasLeader) model.loseLeader()
      else model.elect()
      return
    case 'stall':
      return stall(model, process, seed)
    default:
      does satisfies never
  }
}

/** Steps of the other processes while one is stalled: several seconds of model time, enough for a takeover and a handover. */
const stallSteps = 400

/**
 * One process holds a message and does not run, or has lost its connections, while the others run in a random interleaving and
 * count little. Random single steps almost never leave a process idle for long enough.
 */
async function stall(model: ProgressModel, stalled: ModelProcess | undefined, seed: number): Promise<void> {
  const random = randomBelow(seed)
  const { connection } = stalled?.clicks ?? {}
  if (stalled === undefined || connection === undefined) return
  model.accept(0)
  model.assign(connection)
  stalled.clicks.receive()
  const dropAtStep = random(2) === 0 ? random(stallSteps) : undefined
  // Perhaps there is no leader when the connection is lost, and for some seconds more.
  const leaderlessFrom = random(2) === 0 ? (dropAtStep ?? 0) : Infinity
  const electAtStep = leaderlessFrom + random(stallSteps / 2)
  for (let step = 0; step < stallSteps; step += 1) {
    if (step === leaderlessFrom) model.loseLeader()
    if (step === electAtStep) model.elect()
    if (step === dropAtStep) for (const each of model.connections.values()) if (each === connection) model.drop(each)
    const others = model.processes.filter((process) => process !== stalled)
    const process = others[random(others.length)]
    if (process === undefined) return
    const consumer = random(4) === 0 ? process.suspect : process.clicks
    if (random(3) === 0 && consumer.connection !== undefined) model.assign(consumer.connection)
    if (random(4) === 0) consumer.receive()
    if (random(12) === 0) consumer.commit()
    for (let count = random(12); count >= 0; count -= 1) await process.next()
    model.pass(random(40))
    expect(model.lies).toEqual([])
  }
}

/** Integers from 0 to below a limit, by a linear congruential generator. */
function randomBelow(seed: number): (limit: number) => number {
  let state = seed >>> 0
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}

/** All is well, and goes on until a time. @throws when that takes more than half a minute of the model's time */
async function work(model: ProgressModel, until: () => boolean): Promise<void> {
  for (let round = 0; round < 1_000 && !until(); round += 1) {
    for (const process of [...model.processes]) {
      for (const consumer of [process.clicks, process.suspect]) {
        if (consumer.connection !== undefined) model.assign(consumer.connection)
        consumer.receive()
        consumer.commit()
      }
      await process.next()
      expect(model.lies).toEqual([])
    }
    model.pass(30)
  }
  expect(until()).toBe(true)
}

/** Nothing is broken any more, and the broker has noticed who is gone. */
function mend(model: ProgressModel): void {
  model.elect()
  if (model.processes.length === 0) model.processes.push(new ModelProcess(model))
  const live = new Set(model.processes.flatMap(({ clicks, suspect }) => [clicks.connection, suspect.connection]))
  for (const connection of model.connections.values()) if (!live.has(connection)) model.drop(connection)
}

describe('asOf, for any sequence of events', () => {
  test('never passes a click that is not counted, and passes all clicks once every fault is over', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { minLength: 20, maxLength: 250 }), async (happenings) => {
        const model = new ProgressModel()
        for (let count = 0; count < 3; count += 1) model.processes.push(new ModelProcess(model))
        await work(model, () => model.asOfMs > 0)
        for (const happens of happenings) {
          await apply(model, happens)
          expect(model.lies).toEqual([])
        }
        mend(model)
        const acceptedBeforeMs = model.nowMs
        await work(model, () => model.asOfMs > acceptedBeforeMs)
        expect(model.messages.filter(({ isCounted }) => !isCounted)).toEqual([])
      }),
      { numRuns: 600 },
    )
  })
})
