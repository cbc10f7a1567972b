import type { AnsweredBatch } from '@clicktally/requests/batch-sender.ts'
import type { ImportRecord, RecordRefusal } from './formats/import-record.ts'
import type { ImportBatch } from './import-batches.ts'

const dayMs = 86_400_000
const shownRejects = 5

/** A record that is not imported, and why. */
export interface Reject {
  /** Index of the input. */
  readonly input: number
  readonly record: ImportRecord
  readonly refusal: RecordRefusal
}

type Reasons = Readonly<Record<string, { readonly count: number; readonly detail: string }>>

/** The tally as stored in a checkpoint. */
export interface TallyState {
  readonly accepted: number
  /** By code: number of records and description. */
  readonly rejected: Reasons
  /** Records that are something else than clicks, in the same form. Absent in checkpoints of earlier versions. */
  readonly skipped?: Reasons
  /** The UTC days of accepted records, as inclusive ranges of days since 1970. */
  readonly days: readonly (readonly [first: number, last: number])[]
  readonly elapsedMs: number
}

/** Counts the outcomes of records, batch by batch. */
export class ImportTally {
  accepted = 0
  rejected = 0
  /** Records that are no clicks, such as page views. */
  skipped = 0
  /** The first rejected records of this process. */
  readonly firstRejects: Reject[] = []
  /** A time by the server's clock, at or after its last answer. Milliseconds since 1970. */
  endedAtMs = 0
  readonly #byCode = new ReasonCounts()
  readonly #skippedByCode = new ReasonCounts()
  readonly #days = new Set<number>()
  readonly #startedAtMs = performance.now()
  readonly #elapsedBeforeMs: number

  constructor(before?: TallyState) {
    this.#elapsedBeforeMs = before?.elapsedMs ?? 0
    this.accepted = before?.accepted ?? 0
    this.rejected = this.#byCode.restore(before?.rejected)
    this.skipped = this.#skippedByCode.restore(before?.skipped)
    for (const [first, last] of before?.days ?? []) for (let day = first; day <= last; day++) this.#days.add(day)
  }

  /** Returns the rejected records of the batch, in the order of the file. */
  add({ batch, accepted, rejected, answeredAtMs }: AnsweredBatch<ImportBatch>): Reject[] {
    const refusals = new Map<number, RecordRefusal>(rejected.map(({ index, ...refusal }) => [index, refusal]))
    const rejects: Reject[] = []
    let sent = 0
    for (const record of batch.records) {
      const refusal = typeof record.event === 'string' ? refusals.get(sent++) : record.event
      if (refusal?.isSkipped) this.#skip(refusal)
      else if (refusal !== undefined) rejects.push({ input: batch.input, record, refusal })
      else if (record.timeMs !== undefined) this.#days.add(Math.floor(record.timeMs / dayMs))
    }
    this.accepted += accepted
    this.endedAtMs = Math.max(this.endedAtMs, answeredAtMs)
    for (const reject of rejects) this.#reject(reject)
    return rejects
  }

  get elapsedMs(): number {
    return this.#elapsedBeforeMs + performance.now() - this.#startedAtMs
  }

  /** By code, the most frequent first. */
  get reasons(): { code: string; count: number; detail: string }[] {
    return this.#byCode.list()
  }

  /** The same of the skipped records. */
  get skippedReasons(): { code: string; count: number; detail: string }[] {
    return this.#skippedByCode.list()
  }

  /** The number of UTC days with clicks, and the first and the last of them in milliseconds since 1970. */
  get days(): { count: number; firstMs: number; lastMs: number } | undefined {
    const ranges = this.#dayRanges()
    const [first, last] = [ranges[0], ranges.at(-1)]
    if (first === undefined || last === undefined) return undefined
    return { count: this.#days.size, firstMs: first[0] * dayMs, lastMs: last[1] * dayMs }
  }

  state(): TallyState {
    return {
      accepted: this.accepted,
      rejected: this.#byCode.state(),
      skipped: this.#skippedByCode.state(),
      days: this.#dayRanges(),
      elapsedMs: Math.round(this.elapsedMs),
    }
  }

  #skip(refusal: RecordRefusal): void {
    this.skipped += 1
    this.#skippedByCode.add(refusal)
  }

  #reject(reject: Reject): void {
    this.rejected += 1
    this.#byCode.add(reject.refusal)
    if (this.firstRejects.length < shownRejects) this.firstRejects.push(reject)
  }

  #dayRanges(): [number, number][] {
    const ranges: [number, number][] = []
    for (const day of [...this.#days].sort((a, b) => a - b)) {
      const last = ranges.at(-1)
      if (last !== undefined && last[1] === day - 1) last[1] = day
      else ranges.push([day, day])
    }
    return ranges
  }
}

/** How often there was each reason. */
class ReasonCounts {
  readonly #byCode = new Map<string, { count: number; detail: string }>()

  add({ code, detail }: RecordRefusal): void {
    const seen = this.#byCode.get(code)
    if (seen) seen.count += 1
    else this.#byCode.set(code, { count: 1, detail })
  }

  /** The most frequent first. */
  list(): { code: string; count: number; detail: string }[] {
    return [...this.#byCode].map(([code, reason]) => ({ code, ...reason })).sort((a, b) => b.count - a.count)
  }

  state(): Reasons {
    return Object.fromEntries(this.#byCode)
  }

  /** Continues with the reasons of a checkpoint, and returns how many there are. */
  restore(reasons: Reasons = {}): number {
    let sum = 0
    for (const [code, { count, detail }] of Object.entries(reasons)) {
      this.#byCode.set(code, { count, detail })
      sum += count
    }
    return sum
  }
}
