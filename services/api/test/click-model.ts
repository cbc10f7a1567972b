import { DatabaseSync } from 'node:sqlite'
import {
  type Dimension,
  type DimensionRow,
  dimensions,
  propDimension,
  targetDimension,
} from '@clicktally/dimensions/dimensions.ts'
import type { Click } from '@clicktally/event/click.ts'
import { visitorHash } from '@clicktally/processor/rows/visitor-hash.ts'
import { estimateVisitors } from '../visitors/visitor-union.ts'

/** All dimensions of the tests. The project declares the prop `plan`. */
export const testDimensions: readonly Dimension[] = [targetDimension, ...dimensions, propDimension('plan')]

export interface ModelFilter {
  readonly dimension: string
  readonly isNot: boolean
  readonly values: readonly string[]
}

export interface ModelQuestion {
  readonly fromMs: number
  readonly toMs: number
  readonly filters: readonly ModelFilter[]
  readonly targetPrefix?: string | undefined
}

export interface ModelCount {
  readonly total: number
  readonly bots: number
  readonly visitors: number
}

/** The same clicks in another database, which answers questions with plain SQL over all of them. */
export class ClickModel {
  readonly #database = new DatabaseSync(':memory:')

  constructor() {
    const columns = testDimensions.map((_, index) => `d${index} text not null`)
    this.#database.exec(`create table clicks (at integer, bot integer, visitor integer, ${columns.join(', ')})`)
  }

  close(): void {
    this.#database.close()
  }

  add(clicks: readonly Click[]): void {
    const insert = this.#database.prepare(`insert into clicks values (?, ?, ?${', ?'.repeat(testDimensions.length)})`)
    this.#database.exec('begin')
    for (const click of clicks) {
      const id = Buffer.from(click.visitorId ?? '')
      const visitor =
        click.visitorId === undefined || click.bot === true ? null : visitorHash(click.projectId, id, 0, id.length)
      const values = testDimensions.map((dimension) => dimension.valueOf(click as DimensionRow) ?? '')
      insert.run(Math.floor(click.occurredAtMs), click.bot === true ? 1 : 0, visitor, ...values)
    }
    this.#database.exec('commit')
  }

  count(question: ModelQuestion): ModelCount {
    const [all] = this.#grouped(question, `''`)
    return all?.count ?? { total: 0, bots: 0, visitors: 0 }
  }

  /** By total, then by value. */
  breakDown(question: ModelQuestion, dimension: string): (ModelCount & { value: string })[] {
    return this.#grouped(question, columnOf(dimension)).map(({ value, count }) => ({ value, ...count }))
  }

  /** The values that occur. */
  valuesOf(dimension: string): string[] {
    const rows = this.#database.prepare(`select distinct ${columnOf(dimension)} as value from clicks order by 1`).all()
    return rows.map(({ value }) => String(value))
  }

  #grouped(question: ModelQuestion, group: string) {
    const { condition, values } = conditionOf(question)
    const rows = this.#database
      .prepare(
        `select ${group} as value, sum(1 - bot) as total, sum(bot) as bots from clicks where ${condition}
         group by 1 order by 2 desc, 1`,
      )
      .all(...values)
    // Hashes in ascending order: the smallest 2,048 are the sketch from which more are estimated.
    const hashes = this.#database
      .prepare(
        `select distinct ${group} as value, visitor from clicks where ${condition} and visitor is not null order by 2`,
      )
      .all(...values)
    const byValue = Map.groupBy(hashes, ({ value }) => value)
    return rows.map(({ value, total, bots }) => {
      const its = byValue.get(value as string) ?? []
      const last = its.length > 2_048 ? Number(its[2_047]?.visitor) : null
      const visitors = estimateVisitors(Math.min(its.length, 2_048), last)
      return { value: String(value), count: { total: Number(total), bots: Number(bots), visitors } }
    })
  }
}

function columnOf(dimension: string): string {
  const index = testDimensions.findIndex(({ name }) => name === dimension)
  if (index === -1) throw new Error(`no dimension ${dimension}`)
  return `d${index}`
}

function conditionOf({ fromMs, toMs, filters, targetPrefix }: ModelQuestion) {
  const conditions = ['at >= ?', 'at < ?']
  const values: (string | number)[] = [fromMs, toMs]
  for (const { dimension, isNot, values: wanted } of filters) {
    conditions.push(`${columnOf(dimension)} ${isNot ? 'not ' : ''}in (${wanted.map(() => '?').join(', ')})`)
    values.push(...wanted)
  }
  if (targetPrefix !== undefined) {
    conditions.push(`substr(${columnOf('target')}, 1, ?) = ?`)
    values.push(targetPrefix.length, targetPrefix)
  }
  return { condition: conditions.join(' and '), values }
}
