import { computed } from '@preact/signals'
import { hrefWith, params } from './place.ts'

/** A condition on clicks: a dimension, whether it has one of the values or none of them. */
export interface Condition {
  readonly dimension: string
  readonly isNot: boolean
  readonly values: readonly string[]
}

/** The conditions of the address, which has them as the API takes them: `filter=country:is:DE,AT`. */
export const conditions = computed(() => params.value.getAll('filter').flatMap((text) => readCondition(text) ?? []))

/** The address in which this condition replaces those on the same dimension; undefined as the values removes them. */
export function hrefWithCondition(dimension: string, values: readonly string[] | undefined, isNot = false): string {
  const others = conditions.value.filter((each) => each.dimension !== dimension)
  const all = values === undefined ? others : [...others, { dimension, isNot, values }]
  return hrefWith({ filter: all.map(writeCondition) })
}

export function writeCondition({ dimension, isNot, values }: Condition): string {
  return `${dimension}:${isNot ? 'not' : 'is'}:${values.map(escapeValue).join(',')}`
}

export function readCondition(text: string): Condition | undefined {
  const [, dimension, kind, list] = /^(.+?):(is|not):(.*)$/s.exec(text) ?? []
  if (dimension === undefined || list === undefined) return undefined
  const values = [...list.matchAll(/((?:[^\\,]|\\.)*)(?:,|$)/gs)].map(([, value = '']) =>
    value.replace(/\\(.)/gs, '$1'),
  )
  // At the end of the list there is an empty match more, unless the list itself is empty.
  return { dimension, isNot: kind === 'not', values: values.length > 1 ? values.slice(0, -1) : values }
}

/** A comma separates values. */
export function escapeValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll(',', '\\,')
}
