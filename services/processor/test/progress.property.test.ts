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
} as const
type Kind = keyof typeof kinds

const happening = fc.record({
  does: fc.oneof(...Object.entries(kinds).map(([kind, weight]) => ({ weight, arbitrary: fc.constant(kind as Kind) }))),
  of: fc.nat({ max: 11 }),
  ms: fc.oneof(fc.nat({ max: 250 }), fc.nat({ max: 2_500 })),
})

async function apply(model: ProgressModel, { does, of, ms }: { does: Kind; of: number; ms: number }): Promise<void> {
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
      model.hasLeader = !model.hasLeader
      return
    default:
      does satisfies never
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
  model.hasLeader = true
  if (model.processes.length === 0) model.processes.push(new ModelProcess(model))
  const live = new Set(model.processes.flatMap(({ clicks, suspect }) => [clicks.connection, suspect.connection]))
  for (const connection of model.connections.values()) if (!live.has(connection)) model.drop(connection)
}

describe('asOf, whatever happens', () => {
  test('never says that a click is counted which is not, and gets past all clicks when all is well again', async () => {
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
