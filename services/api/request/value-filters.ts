import { type Dimension, targetDimension } from '@clicktally/dimensions/dimensions.ts'
import { problem } from '../errors.ts'
import { dimensionOf, type ValueFilter } from '../scan/scan.ts'
import type { CountsFilter } from './counts-filter.ts'

const maxValues = 100

/**
 * Parses the conditions of a question: the parameters `filter`, each `<dimension>:is:<values>` or `<dimension>:not:<values>`, and
 * those of the target.
 *
 * @param declaredProps names of the props that are dimensions of the project
 * @throws {ServiceProblem} parameter_invalid, dimension_unknown
 */
export function readValueFilters(
  texts: readonly string[],
  { targets, targetPrefix }: Pick<CountsFilter, 'targets' | 'targetPrefix'>,
  declaredProps: readonly string[],
): ValueFilter[] {
  const filters = texts.map((text) => readValueFilter(text, declaredProps))
  const ofTarget = { dimension: targetDimension, isNot: false }
  if (targets !== undefined) filters.push({ ...ofTarget, values: targets })
  if (targetPrefix !== undefined) filters.push({ ...ofTarget, values: [], prefix: targetPrefix })
  return filters
}

/** @throws {ServiceProblem} dimension_unknown */
export function readDimension(name: string, declaredProps: readonly string[], field: string): Dimension {
  const dimension = dimensionOf(name, declaredProps)
  if (dimension !== undefined) return dimension
  const hint = name.startsWith('props.')
    ? 'The project has to declare the prop as a dimension first.'
    : 'Known are target, country, browser, os, device, referrer, channel, host, path, utm_source and the other utm parameters, and props that the project has declared.'
  throw problem('dimension_unknown', `There is no dimension "${name.slice(0, 64)}". ${hint}`, field)
}

function readValueFilter(text: string, declaredProps: readonly string[]): ValueFilter {
  const [, name, verb, list] = /^(.+?):(is|not):(.*)$/s.exec(text) ?? []
  if (name === undefined || list === undefined || text.includes('\0')) {
    throw problem(
      'parameter_invalid',
      `"filter" is "${text.slice(0, 64)}". It must be a dimension, "is" or "not", and values, such as country:is:DE,AT.`,
      'filter',
    )
  }
  const values = splitValues(list)
  if (values.length > maxValues) {
    throw problem('parameter_invalid', `A "filter" lists ${values.length} values; the limit is ${maxValues}.`, 'filter')
  }
  return { dimension: readDimension(name, declaredProps, 'filter'), isNot: verb === 'not', values }
}

/** `a,b` is two values, `a\,b` is one, and nothing is the empty value. */
function splitValues(list: string): string[] {
  const values = ['']
  for (const [token] of list.matchAll(/\\[\s\S]|[\s\S]/g)) {
    if (token === ',') values.push('')
    else values[values.length - 1] += token.length === 2 && token.startsWith('\\') ? token.slice(1) : token
  }
  return [...new Set(values)]
}
