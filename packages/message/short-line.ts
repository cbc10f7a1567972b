import type { Buffer } from 'node:buffer'
import { Click } from '@clicktally/event/click.ts'
import { isUuidV7, timeOfUuidV7 } from '@clicktally/event/uuid-v7.ts'
import Type from 'typebox'

/**
 * What the clicks of a request have in common. In a message, the first line of a request carries it. The lines after it may be short:
 * they have none of these fields, and take them from the nearest line before them that has. A short line without `occurredAtMs`
 * happened at the time in its id.
 */
export type RequestFields = Pick<Click, 'projectId' | 'receivedAtMs' | 'requestId'>

const { projectId: _project, receivedAtMs: _time, requestId: _request, occurredAtMs, ...ownFields } = Click.properties

/** The schema of a click's short line. */
export const ShortClick = Type.Object(
  { ...ownFields, occurredAtMs: Type.Optional(occurredAtMs) },
  { additionalProperties: true },
)

/** The short line of a click, to follow a line of the same request in a message of type `clicks.v2`. */
export function encodeShort(click: Click): string {
  const { id, occurredAtMs } = click
  // JSON.stringify leaves out what is undefined. A copy without these fields would take longer.
  return JSON.stringify({
    ...click,
    projectId: undefined,
    occurredAtMs: occurredAtMs === timeOfUuidV7(id) ? undefined : occurredAtMs,
    receivedAtMs: undefined,
    requestId: undefined,
  })
}

/** A short line that was parsed. It may be no click. */
type ShortLine = Omit<Partial<Click>, keyof RequestFields>

/** Whether a parsed line is short. */
export function isShortLine(value: unknown): value is ShortLine {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject && !('projectId' in value || 'receivedAtMs' in value || 'requestId' in value)
}

/** What a parsed short line says in full, with the fields in the order of encodeClick(). It is a click if the line was valid. */
export function completeClick(line: ShortLine, { projectId, receivedAtMs, requestId }: RequestFields): Click {
  const { id, target, occurredAtMs = timeIn(id), ...others } = line
  return { id, projectId, target, occurredAtMs, receivedAtMs, requestId, ...others } as Click
}

function timeIn(id: unknown): number | undefined {
  return typeof id === 'string' && isUuidV7(id) ? timeOfUuidV7(id) : undefined
}

/** Those of the line that begins at `from`, which must have them. */
export function requestFieldsAt(content: Buffer, from: number): RequestFields {
  const end = content.indexOf(0x0a, from)
  return JSON.parse(content.toString('utf8', from, end === -1 ? content.length : end)) as RequestFields
}
