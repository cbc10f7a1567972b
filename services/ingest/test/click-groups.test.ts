import type { Click } from '@clicktally/event/click.ts'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import type { ServiceProblem } from '@clicktally/http/service-problem.ts'
import {
  clicksMessageType,
  decodeMessage,
  encodeClick,
  maxClicksPerMessage,
} from '@clicktally/message/clicks-message.ts'
import { encodeShort } from '@clicktally/message/short-line.ts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ClickGroup, ClickGroups, maxGroupBytes } from '../publishing/click-groups.ts'
import { publishFailure } from '../publishing/publish-failure.ts'

const limits = { confirmWithinMs: 4_000, maxHeldClicks: 2_000, maxHeldBytes: 400_000 }

/** Groups with a fake clock and a window of fixed size, and the groups that were sent. */
function createGroups(size = 2) {
  const clock = { nowMs: 0 }
  const window = { size, confirmTimesMs: [] as number[], confirmed: (ms: number) => window.confirmTimesMs.push(ms) }
  const sent: ClickGroup[] = []
  const groups = new ClickGroups({ ...limits, window, send: (group) => sent.push(group), now: () => clock.nowMs })
  return { groups, clock, window, sent, sizes: () => sent.map(({ members }) => members.length) }
}

/** A click with so many props of 1,000 characters, of the same request as any other. */
function createClick(char: string, props: number): Click {
  const timeMs = 1_763_700_000_000
  const fields = { projectId: 1, target: 'button', occurredAtMs: timeMs, receivedAtMs: timeMs, requestId: 'request-1' }
  const texts = Array.from({ length: props }, (_, key) => [`k${key}`, char.repeat(1_000)])
  return { id: randomUuidV7(timeMs), ...fields, props: Object.fromEntries(texts) as Record<string, string> }
}

/** As a batch is published. */
function linesOf([first, ...others]: readonly Click[]): string {
  return [encodeClick(first as Click), ...others.map(encodeShort)].join('\n')
}

/** The answer to a request: `accepted`, or the code of its problem. */
function answerOf(adding: Promise<void>): Promise<string> {
  return adding.then(
    () => 'accepted',
    ({ problem }: ServiceProblem) => problem.code,
  )
}

function addMany(groups: ClickGroups, requests: number, clicks = 1): Promise<string>[] {
  return Array.from({ length: requests }, (_, n) => answerOf(groups.add(`line ${n}`, clicks)))
}

describe('groups of clicks', () => {
  test('are sent at once while the window is open', () => {
    const { groups, sizes } = createGroups(3)
    for (const requests of [1, 5, 7]) {
      addMany(groups, requests)
      groups.flush()
    }
    expect(sizes()).toEqual([1, 5, 7])
  })

  test('include all clicks that arrived while the window was full', () => {
    const { groups, sent, sizes } = createGroups(2)
    for (const requests of [1, 5, 7, 9]) {
      addMany(groups, requests)
      groups.flush()
    }
    expect(sizes()).toEqual([1, 5])
    groups.confirmed(sent[0] as ClickGroup)
    expect(sizes()).toEqual([1, 5, 16])
  })

  test('wait for more than one confirm when the window has become smaller', () => {
    const { groups, window, sent, sizes } = createGroups(3)
    for (const requests of [1, 1, 1]) {
      addMany(groups, requests)
      groups.flush()
    }
    window.size = 1
    addMany(groups, 4)
    for (const group of sent.slice(0, 2)) groups.confirmed(group)
    expect(sizes()).toEqual([1, 1, 1])
    groups.confirmed(sent[2] as ClickGroup)
    expect(sizes()).toEqual([1, 1, 1, 4])
  })

  test('pass the time of each confirm to the window, but not of failures', () => {
    const { groups, clock, window, sent } = createGroups(2)
    for (const passMs of [3, 4]) {
      addMany(groups, 1)
      groups.flush()
      clock.nowMs += passMs
    }
    groups.failed(sent[0] as ClickGroup, publishFailure('queue_full'))
    groups.confirmed(sent[1] as ClickGroup)
    groups.confirmed(sent[1] as ClickGroup)
    expect(window.confirmTimesMs).toEqual([4])
  })

  test('fill a frame to the last byte, line breaks included', () => {
    const { groups, sizes } = createGroups()
    const half = 'x'.repeat((maxGroupBytes - 2) / 2)
    for (const lines of [half, `${half}x`]) groups.add(lines, 1)
    groups.flush()
    expect(sizes()).toEqual([2])
    for (const lines of [half, `${half}xx`]) groups.add(lines, 1)
    groups.flush()
    expect(sizes()).toEqual([2, 1])
  })

  test('split a request that is larger than a message, and answer it when all parts are confirmed', async () => {
    const { groups, window, sent } = createGroups(8)
    const clicks = Array.from({ length: 10 }, () => createClick('é', 14))
    const adding = answerOf(groups.add(linesOf(clicks), clicks.length))
    groups.flush()
    const messages = sent.map(({ members }) => Buffer.from(members.map(({ lines }) => lines).join('\n')))
    // Each is complete in itself, although only the first line of the request was.
    const decoded = messages.map((message) => decodeMessage(clicksMessageType, message).clicks)
    expect(decoded.flat().map(encodeClick)).toEqual(clicks.map(encodeClick))
    expect(sent.map(({ clicks }) => clicks)).toEqual([4, 4, 2])
    for (const message of messages) expect(message.length).toBeLessThanOrEqual(maxGroupBytes)
    let answer: string | undefined
    adding.then((result) => {
      answer = result
    })
    for (const group of sent.slice(1)) groups.confirmed(group)
    await new Promise(setImmediate)
    expect(answer).toBeUndefined()
    groups.confirmed(sent[0] as ClickGroup)
    expect(await adding).toBe('accepted')
    expect(groups.heldClicks + groups.heldBytes).toBe(0)
    expect(window.confirmTimesMs).toHaveLength(3)
  })

  test('refuse a request that is larger than a message as a whole, or fail it when a part fails', async () => {
    const { groups, sent } = createGroups(8)
    const clicks = Array.from({ length: 10 }, () => createClick('x', 30))
    const first = answerOf(groups.add(linesOf(clicks), clicks.length))
    expect(await answerOf(groups.add(linesOf(clicks), clicks.length))).toBe('overloaded')
    groups.flush()
    expect(sent).toHaveLength(3)
    groups.failed(sent[1] as ClickGroup, publishFailure('queue_full'))
    expect(await first).toBe('queue_full')
    for (const group of sent) groups.confirmed(group)
    expect(groups.heldBytes).toBe(0)
  })

  test('keep their place in the window until a confirm arrives, even after the deadline', async () => {
    const { groups, clock, sent, sizes } = createGroups()
    const late = addMany(groups, 1)
    groups.flush()
    clock.nowMs = limits.confirmWithinMs + 1
    groups.expire()
    expect(await Promise.all(late)).toEqual(['confirm_timeout'])
    addMany(groups, 1)
    groups.flush()
    const after = addMany(groups, 1)
    groups.flush()
    expect(sizes()).toEqual([1, 1])
    groups.confirmed(sent[0] as ClickGroup)
    expect(sizes()).toEqual([1, 1, 1])
    groups.confirmed(sent[2] as ClickGroup)
    expect(await Promise.all(after)).toEqual(['accepted'])
  })
})

type Failure = 'unroutable' | 'queue_full'

interface Request {
  readonly name: string
  readonly clicks: number
  readonly bytes: number
  readonly sinceMs: number
  group?: ClickGroup
}

/** The expected behaviour: the unanswered requests in order of arrival, and the answers that are due. */
class Model {
  open: Request[] = []
  inFlight: ClickGroup[] = []
  windowSize: number
  readonly due = new Map<string, string>()

  constructor(windowSize: number) {
    this.windowSize = windowSize
  }

  total(what: 'clicks' | 'bytes', of = this.open): number {
    return of.reduce((sum, request) => sum + request[what], 0)
  }

  arrive(request: Request): void {
    const clicks = this.total('clicks') + request.clicks
    const bytes = this.total('bytes') + request.bytes
    if (clicks > limits.maxHeldClicks || bytes > limits.maxHeldBytes) this.due.set(request.name, 'overloaded')
    else this.open.push(request)
  }

  answer(code: string, matches: (request: Request) => boolean): void {
    for (const { name } of this.open.filter(matches)) this.due.set(name, code)
    this.open = this.open.filter((request) => !matches(request))
  }

  /** A group must hold the oldest waiting requests, as many as fit, and the window must be open. */
  send(group: ClickGroup): void {
    const waiting = this.#waiting()
    const members = waiting.slice(0, group.members.length)
    expect(group.members.map(({ lines }) => lines.split(' ')[0])).toEqual(members.map(({ name }) => name))
    expect(group.clicks).toBe(this.total('clicks', members))
    expect(members.length === 1 || this.#fits(members)).toBe(true)
    expect(members.length === waiting.length || !this.#fits(waiting.slice(0, members.length + 1))).toBe(true)
    expect(this.inFlight.length).toBeLessThan(this.windowSize)
    for (const member of members) member.group = group
    this.inFlight.push(group)
  }

  /** Nothing waits while the window is open. */
  expectNothingSendable(): void {
    expect(this.#waiting().length === 0 || this.inFlight.length >= this.windowSize).toBe(true)
  }

  #waiting(): Request[] {
    return this.open.filter(({ group }) => group === undefined)
  }

  #fits(requests: Request[]): boolean {
    const lineBreaks = requests.length - 1
    return (
      this.total('clicks', requests) <= maxClicksPerMessage &&
      this.total('bytes', requests) + lineBreaks <= maxGroupBytes
    )
  }
}

describe('for any sequence of events', () => {
  const size = (clicks: number, bytes: number) =>
    fc.record({ clicks: fc.integer({ min: 1, max: clicks }), bytes: fc.integer({ min: 5, max: bytes }) })
  const request = fc.oneof(
    { weight: 12, arbitrary: size(3, 400) },
    { weight: 2, arbitrary: size(500, 20_000) },
    // A line has characters of two bytes here. Requests larger than a message have their own test.
    { weight: 1, arbitrary: size(500, maxGroupBytes / 2) },
  )
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ arrive: fc.array(request, { minLength: 1, maxLength: 40, size: 'max' }) }) },
    { weight: 6, arbitrary: fc.record({ confirm: fc.nat({ max: 7 }) }) },
    {
      weight: 1,
      arbitrary: fc.record({ fail: fc.nat({ max: 7 }), as: fc.constantFrom<Failure>('unroutable', 'queue_full') }),
    },
    { weight: 3, arbitrary: fc.record({ passMs: fc.constantFrom(1, 500, 2_000, 4_000) }) },
    { weight: 1, arbitrary: fc.constant({ lose: 'the connection' }) },
    { weight: 2, arbitrary: fc.record({ windowSize: fc.integer({ min: 1, max: 8 }) }) },
  )

  test('each request is answered once, in time and correctly, and held clicks stay within the limits', async () => {
    const seen = { inFlight: 0, alone: 0 }
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 100, size: 'max' }), async (steps) => {
        const { groups, clock, window, sent } = createGroups()
        const model = new Model(window.size)
        const answers = new Map<string, string>()
        let arrived = 0
        const arrive = ({ clicks, bytes }: { clicks: number; bytes: number }) => {
          const name = String(arrived++)
          const lines = `${name} `.padEnd(bytes, 'ä')
          model.arrive({ name, clicks, bytes: Buffer.byteLength(lines), sinceMs: clock.nowMs })
          answerOf(groups.add(lines, clicks)).then((answer) => answers.set(name, answer))
        }
        const end = (choice: number, code?: Failure) => {
          const [group] = model.inFlight.splice(choice, 1)
          if (group === undefined) return
          model.answer(code ?? 'accepted', (request) => request.group === group)
          if (code === undefined) groups.confirmed(group)
          else groups.failed(group, publishFailure(code))
          // Only the first outcome of a group counts.
          groups.failed(group, publishFailure('queue_full'))
        }
        const pass = (ms: number) => {
          clock.nowMs += ms
          model.answer('confirm_timeout', ({ sinceMs }) => clock.nowMs - sinceMs > limits.confirmWithinMs)
          groups.expire()
        }
        const lose = () => {
          model.answer('broker_unavailable', () => true)
          groups.failAll(publishFailure('broker_unavailable'))
          // No outcome arrives for most groups; a late one is ignored.
          const [group] = model.inFlight.splice(0)
          if (group !== undefined) groups.confirmed(group)
        }
        const expectModel = async () => {
          for (const group of sent.splice(0)) model.send(group)
          model.expectNothingSendable()
          seen.inFlight = Math.max(seen.inFlight, model.inFlight.length)
          if (model.inFlight.some(({ members }) => members.length === 1)) seen.alone += 1
          await new Promise(setImmediate)
          expect(answers).toEqual(model.due)
          answers.clear()
          model.due.clear()
          expect(groups.heldClicks).toBe(model.total('clicks'))
          expect(groups.heldBytes).toBe(model.total('bytes'))
        }
        for (const step of steps) {
          if ('arrive' in step) {
            for (const one of step.arrive) arrive(one)
            groups.flush()
          } else if ('confirm' in step) end(step.confirm)
          else if ('fail' in step) end(step.fail, step.as)
          else if ('passMs' in step) pass(step.passMs)
          else if ('windowSize' in step) {
            window.size = step.windowSize
            model.windowSize = step.windowSize
            groups.flush()
          } else lose()
          await expectModel()
        }
        pass(limits.confirmWithinMs + 1)
        await expectModel()
        expect({ clicks: groups.heldClicks, bytes: groups.heldBytes }).toEqual({ clicks: 0, bytes: 0 })
      }),
      { numRuns: 200 },
    )
    // The steps have covered a full window, and groups of one request.
    expect(seen).toEqual({ inFlight: 8, alone: expect.toSatisfy((times: number) => times > 0) })
  })
})
