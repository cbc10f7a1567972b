import { Buffer } from 'node:buffer'
import { isShortLine } from '@clicktally/message/short-line.ts'

export interface ScrubbedContent {
  readonly content: Buffer
  /** Whether a line that cannot be read still contains the text of the id. */
  readonly isLeft: boolean
}

/**
 * Removes the visitor from the clicks in a dead letter's content. Of lines that are not JSON, only `"visitorId":"…"` can be
 * recognised; other bytes of them stay as they are.
 *
 * @param projectId of the clicks; undefined for all. Lines that are not JSON, or name no project, may be of any.
 */
export function withoutVisitor(content: Buffer, visitorId: string, projectId: number | undefined): ScrubbedContent {
  // One character per byte: what is not UTF-8 does not change.
  const bytesOf = (text: string) => Buffer.from(text).toString('latin1')
  const written = JSON.stringify(visitorId)
  const field = new RegExp(`("visitorId"\\s*:\\s*)${RegExp.escape(bytesOf(written))}`, 'g')
  let isLeft = false
  // Short lines are of the project of the line before them.
  let lineProject: unknown
  const lines = content
    .toString('latin1')
    .split('\n')
    .map((line) => {
      const click = parse(Buffer.from(line, 'latin1').toString('utf8'))
      if (click === undefined) {
        const scrubbed = line.replaceAll(field, '$1null')
        lineProject = undefined
        isLeft ||= scrubbed.includes(bytesOf(visitorId)) || scrubbed.includes(bytesOf(written.slice(1, -1)))
        return scrubbed
      }
      if (!isShortLine(click)) lineProject = click.projectId
      const isOfOther = projectId !== undefined && lineProject !== undefined && lineProject !== projectId
      if (click.visitorId !== visitorId || isOfOther) return line
      const { visitorId: _, ...others } = click
      return bytesOf(JSON.stringify(others))
    })
  return { content: Buffer.from(lines.join('\n'), 'latin1'), isLeft }
}

/** The object that the line is; undefined if it is none. */
function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
