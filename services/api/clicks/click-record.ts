import { decodeAgent } from '@clicktally/dimensions/agent-codes.ts'
import { storedFields } from '@clicktally/event/event-fields.ts'
import { type ClickProperty, clickProperties } from '@clicktally/operations/read/click-operations.ts'
import type { ClickRow } from '../queries/click-page.ts'

/** The properties of a click that an answer shows. */
export function shownProperties(isPersonal: boolean): readonly ClickProperty[] {
  return clickProperties.filter((property) => isPersonal || !property.isPersonal)
}

type Agent = ReturnType<typeof decodeAgent>

const columnOf = new Map<string, string>([
  ...storedFields.map(({ name, column }) => [name, column] as const),
  ['receivedAt', 'received_at'],
  ['countedAt', 'counted_at'],
])

/** The value of a property: a text, a Date, a boolean, an object or null. */
export function propertyValue({ name }: ClickProperty, row: ClickRow): unknown {
  const column = columnOf.get(name)
  if (column !== undefined) return row[column] ?? null
  // What is left are the parts of the agent.
  return row.agent == null ? null : (decodeAgent(String(row.agent))[name as keyof Agent] ?? null)
}
