import type { TObject } from 'typebox'
import { Compile } from 'typebox/compile'
import { clickLimits, PropName, PropValue } from './click-event.ts'
import { printableName, type Rejection, rejection } from './click-rejection.ts'

const propValue = Compile(PropValue)
const propName = Compile(PropName)

/**
 * Makes a function that finds the first rule of an event schema that a value violates. The value must be one that the schema
 * refuses.
 *
 * It stops at the first violation: the schema's own Errors() lists them all, which takes a hundred times as long as a valid event.
 */
export function createViolationFinder({ properties }: TObject): (value: unknown) => Rejection {
  // In the order in which their violations are reported.
  const fields = Object.entries(properties).map(([name, schema]) => ({ name, schema: Compile(schema) }))
  return (value) => {
    if (!isObject(value)) return rejection('not_an_object')
    const unknown = Object.keys(value).find((key) => !Object.hasOwn(properties, key))
    if (unknown !== undefined) {
      const field = printableName(unknown)
      return rejection('unknown_field', field, `There is no field "${field}". Own data goes into "props".`)
    }
    if (!Object.hasOwn(value, 'target')) return rejection('missing_field', 'target', '"target" is required.')
    for (const { name, schema } of fields) {
      if (!Object.hasOwn(value, name)) continue
      if (name === 'props') {
        const violation = propsViolation(value.props)
        if (violation !== undefined) return violation
      } else if (!schema.Check(value[name])) {
        return invalid(name, schema.Errors(value[name])[0]?.message ?? 'is not valid')
      }
    }
    throw new Error('the schema rejects an event although each field is valid')
  }
}

function propsViolation(props: unknown): Rejection | undefined {
  if (!isObject(props)) return invalid('props', 'must be object')
  const keys = Object.keys(props)
  if (keys.length > clickLimits.propKeys)
    return invalid('props', `must not have more than ${clickLimits.propKeys} properties`)
  for (const key of keys) {
    const path = `props.${printableName(key)}`
    if (!propName.Check(key)) return invalid(path, `must have a name of 1 to ${clickLimits.propKeyChars} characters`)
    if (!propValue.Check(props[key]))
      return invalid(
        path,
        `must be a string of at most ${clickLimits.propValueChars} characters, a finite number, a boolean or null`,
      )
  }
  return undefined
}

function invalid(field: string, message: string): Rejection {
  return rejection('invalid_field', field, `"${field}" ${message}.`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
