import { readColumnParts } from '@clicktally/columns/column-parts.ts'
import { otherId } from '@clicktally/columns/dimension-ids.ts'
import type { GroupCounts } from '@clicktally/columns/group-counts.ts'
import type { Part } from '@clicktally/columns/part.ts'
import { floorToBucket } from '@clicktally/database/counter-buckets.ts'
import { type Dimension, dimensionNamed, targetDimension } from '@clicktally/dimensions/dimensions.ts'
import type { RolledUpBefore } from '../queries/counter-state.ts'
import type { RawSnapshot } from '../queries/snapshot.ts'
import type { Piece } from '../time/bucket-pieces.ts'
import { chooseClicks, type IdFilter } from './choose-clicks.ts'
import { readRowParts } from './row-parts.ts'
import { planScan, type ScanPlan } from './scan-plan.ts'
import { addPeriods } from './summed-periods.ts'
import { ValueIds } from './value-ids.ts'

const minuteMs = 60_000
const hourMs = 3_600_000
/** Minutes are about a quarter of what is read, so hours that need none are left out while they can be told apart cheaply. */
const maxDividedHours = 100

/** Clicks that have, or do not have, one of these values in a dimension. `''` stands for no value. */
export interface ValueFilter {
  readonly dimension: Dimension
  readonly isNot: boolean
  readonly values: readonly string[]
  /** Instead of values. */
  readonly prefix?: string
}

/** Which clicks are read, and what of them. */
export interface Question {
  readonly projectId: number
  /** Whole minutes in milliseconds since 1970; infinite if unbounded. */
  readonly range: Piece
  readonly rolledUpBefore: RolledUpBefore
  readonly filters: readonly ValueFilter[]
  /** By which clicks are grouped. */
  readonly dimension?: Dimension
  /** Between which times clicks are grouped; otherwise any time in an hour is the same. */
  readonly edges?: readonly number[]
  readonly visitors: boolean
}

/** Where an answer was read. */
export type ScanSource = 'sums' | 'columns' | 'clicks' | 'mixed'

/**
 * A question to clicks in one snapshot: columns of packed hours, and raw clicks of the others. Each part is added up as it
 * arrives, so that other requests are answered in between: a full part takes about a millisecond.
 */
export class Scan {
  readonly #snapshot: RawSnapshot
  readonly #question: Question
  readonly #plan: ScanPlan
  readonly #ids: Map<string, ValueIds>
  readonly #filters: readonly IdFilter[]
  #columnParts = 0
  #known = 0
  #summed = 0

  private constructor(
    snapshot: RawSnapshot,
    question: Question,
    plan: ScanPlan,
    ids: Map<string, ValueIds>,
    filters: readonly IdFilter[],
  ) {
    this.#snapshot = snapshot
    this.#question = question
    this.#plan = plan
    this.#ids = ids
    this.#filters = filters
  }

  /** @throws {ServiceProblem} question_too_large, columns_not_ready */
  static async plan(snapshot: RawSnapshot, question: Question): Promise<Scan> {
    const { projectId } = question
    const dimensions = dimensionsOf(question)
    const ids = new Map(dimensions.map(({ name }) => [name, new ValueIds(projectId, name)]))
    const filters: IdFilter[] = []
    let isRaw = false
    for (const filter of question.filters) {
      const own = ids.get(filter.dimension.name) as ValueIds
      const idFilter = await idFilterOf(snapshot, filter, own)
      // The value may be among those without an id, which columns do not tell apart.
      const isAmongOthers =
        (filter.prefix !== undefined || hasTemporary(filter, own)) && (await own.isFull(snapshot.db))
      filters.push(isAmongOthers ? { ...idFilter, isUnknown: (id) => id === otherId } : idFilter)
      isRaw ||= isAmongOthers
    }
    const props = dimensions.filter(({ sources: [source] }) => source === 'props').map(({ name }) => name)
    const isSum = question.dimension !== undefined && filters.length === 0 && !question.visitors
    const plan = await planScan(snapshot, question, props, isRaw, isSum)
    return new Scan(snapshot, question, plan, ids, filters)
  }

  /** Passes all parts, with which of their clicks are chosen. Can be called again. @throws the database error */
  async read(onPart: (part: Part, mask: Uint8Array) => void): Promise<void> {
    const { projectId, range, visitors } = this.#question
    const dimensions = dimensionsOf(this.#question)
    this.#columnParts = 0
    this.#known = 0
    const minutes = { fromMinute: range.fromMs / minuteMs, toMinute: range.toMs / minuteMs }
    const choose = (part: Part) => {
      const { mask, known } = chooseClicks(part, minutes, this.#filters)
      this.#known += known
      onPart(part, mask)
    }
    await readColumnParts(
      this.#snapshot.client,
      {
        projectId,
        pieces: this.#plan.periods.rest.map(({ fromMs, toMs }) => ({ fromMs: floorToBucket(fromMs, 'hour'), toMs })),
        except: this.#plan.unpackedHours,
        names: [...dimensions.map(({ name }) => name), 'bot', ...(visitors ? ['visitor'] : [])],
        minutesOf: this.#dividedHours,
      },
      (part) => {
        this.#columnParts += 1
        choose(part)
      },
    )
    const pieces = this.#plan.rawPieces
    await readRowParts(
      this.#snapshot.client,
      { projectId, pieces, dimensions, visitors },
      (name) => this.idsOf(name),
      choose,
    )
  }

  /** The ids that parts have for the values of a dimension in the question. */
  idsOf(dimension: string): ValueIds {
    const ids = this.#ids.get(dimension)
    if (ids === undefined) throw new RangeError(`the question has no dimension ${dimension}`)
    return ids
  }

  /** Adds the clicks that read() leaves out, because sums have them: only of questions by a dimension, without conditions. */
  async addSums(counts: GroupCounts): Promise<void> {
    const { projectId, dimension } = this.#question
    if (dimension === undefined || !this.#hasSums) return
    const before = clicksOf(counts)
    await addPeriods(this.#snapshot.db, projectId, dimension.name, this.#plan.periods, counts)
    this.#summed = clicksOf(counts) - before
  }

  /** Where the answer was read, as of the last read. */
  get source(): ScanSource {
    const used = [
      ...(this.#hasSums ? (['sums'] as const) : []),
      ...(this.#columnParts > 0 ? (['columns'] as const) : []),
      ...(this.#plan.rawPieces.length > 0 ? (['clicks'] as const) : []),
    ]
    return used.length > 1 ? 'mixed' : (used[0] ?? 'columns')
  }

  get #hasSums(): boolean {
    const { months, days } = this.#plan.periods
    return months.length + days.length > 0
  }

  /**
   * How many clicks of the range were counted, but can no longer be read: raw clicks that were dropped before they were packed, or whose
   * columns do not tell whether they meet a condition.
   */
  get missing(): number {
    return Math.max(0, this.#plan.clicks - this.#known - this.#summed)
  }

  /** Hours that the range or a bucket covers in part. */
  get #dividedHours(): number[] | 'all' {
    const { range, edges = [] } = this.#question
    const inside = [range.fromMs, range.toMs, ...edges].filter((ms) => Number.isFinite(ms) && ms % hourMs !== 0)
    const hours = [...new Set(inside.map((ms) => floorToBucket(ms, 'hour')))]
    return hours.length > maxDividedHours ? 'all' : hours
  }
}

function clicksOf(counts: GroupCounts): number {
  const { total, bots } = counts.sum
  return total + bots
}

function dimensionsOf({ filters, dimension }: Question): Dimension[] {
  const all = filters.map((filter) => filter.dimension)
  if (dimension !== undefined) all.push(dimension)
  return [...new Map(all.map((each) => [each.name, each])).values()]
}

async function idFilterOf({ db }: RawSnapshot, filter: ValueFilter, ids: ValueIds): Promise<IdFilter> {
  const { dimension, isNot, values, prefix } = filter
  for (const value of values) ids.idOf(value)
  await ids.resolve(db)
  const stored = new Set(
    prefix === undefined ? values.map((value) => ids.idOf(value)) : await ids.idsWithPrefix(db, prefix),
  )
  const matches = (id: number) =>
    stored.has(id) || (prefix !== undefined && (ids.temporaryValue(id)?.startsWith(prefix) ?? false))
  return { dimension: dimension.name, matches: (id) => matches(id) !== isNot }
}

function hasTemporary({ values }: ValueFilter, ids: ValueIds): boolean {
  return values.some((value) => ids.temporaryValue(ids.idOf(value)) !== undefined)
}

/** The dimension with this name, the target included, if the project has it. */
export function dimensionOf(name: string, declaredProps: readonly string[]): Dimension | undefined {
  if (name === targetDimension.name) return targetDimension
  const prop = name.startsWith('props.') ? name.slice('props.'.length) : undefined
  return prop === undefined || declaredProps.includes(prop) ? dimensionNamed(name) : undefined
}
