import { computed } from '@preact/signals'
import { hrefWith, params } from '../state/place.ts'
import { type Condition, joinValues, readCondition, splitValues, writeCondition } from './condition.ts'

/** The parameter `target` is a condition that the counters answer. For all others each click of the range is read. */
const isOfCounters = ({ dimension, isNot }: Condition) => dimension === 'target' && !isNot

/** The conditions of the address, which has them as the API takes them: `target=a,b` and `filter=country:is:DE,AT`. */
export const conditions = computed((): readonly Condition[] => {
  const target = params.value.get('target')
  return [
    ...(target ? [{ dimension: 'target', isNot: false, values: splitValues(target) }] : []),
    ...params.value.getAll('filter').flatMap((text) => readCondition(text) ?? []),
  ]
})

/** Whether each click of the range has to be read to answer a question. */
export const readsClicks = computed(() => conditions.value.some((condition) => !isOfCounters(condition)))

function hrefWithConditions(all: readonly Condition[]): string {
  const ofTarget = all.find(isOfCounters)
  return hrefWith({
    target: ofTarget && joinValues(ofTarget.values),
    filter: all.filter((condition) => condition !== ofTarget).map(writeCondition),
  })
}

/** The address with another condition in place of one, or with none. */
export function hrefReplacing(condition: Condition, by?: Condition): string {
  return hrefWithConditions(conditions.value.flatMap((each) => (each === condition ? (by ?? []) : each)))
}

/** Whether a condition counts only clicks with this value, or none of them. */
export function isInCondition(dimension: string, value: string, isNot = false): boolean {
  return conditions.value.some(
    (each) => each.dimension === dimension && each.isNot === isNot && each.values.includes(value),
  )
}

/**
 * The address after a choice of a value: it becomes the condition on its dimension, or one more value of a condition of the same kind.
 * If it is one already, it is removed.
 *
 * @param isNot whether clicks with the value are excluded, instead of counted only
 */
export function hrefChoosing(dimension: string, value: string, isNot = false): string {
  const same = conditions.value.find((each) => each.dimension === dimension && each.isNot === isNot)
  const others = conditions.value.filter((each) => each.dimension !== dimension)
  const values = same?.values.includes(value)
    ? same.values.filter((each) => each !== value)
    : [...(same?.values ?? []), value]
  return hrefWithConditions(values.length === 0 ? others : [...others, { dimension, isNot, values }])
}
