/** A condition on clicks: a dimension, whether it has one of the values or none of them. `''` is the value of clicks without one. */
export interface Condition {
  readonly dimension: string
  readonly isNot: boolean
  readonly values: readonly string[]
}

/** As the API takes it: `country:is:DE,AT`. */
export function writeCondition({ dimension, isNot, values }: Condition): string {
  return `${dimension}:${isNot ? 'not' : 'is'}:${joinValues(values)}`
}

/** Undefined for a text that is no condition. */
export function readCondition(text: string): Condition | undefined {
  const [, dimension, kind, list] = /^(.+?):(is|not):(.*)$/s.exec(text) ?? []
  if (dimension === undefined || list === undefined) return undefined
  return { dimension, isNot: kind === 'not', values: splitValues(list) }
}

/** `a,b` is two values, `a\,b` is one, and nothing is the empty value. */
export function splitValues(list: string): string[] {
  const values = ['']
  for (const [token] of list.matchAll(/\\[\s\S]|[\s\S]/g)) {
    if (token === ',') values.push('')
    else values[values.length - 1] += token.length === 2 && token.startsWith('\\') ? token.slice(1) : token
  }
  return values
}

/** A comma separates values, so one in a value is escaped. */
export function joinValues(values: readonly string[]): string {
  return values.map((value) => value.replaceAll('\\', '\\\\').replaceAll(',', '\\,')).join(',')
}
