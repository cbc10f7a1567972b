import { problem } from '../errors.ts'

/** The end of a page: the next one begins after this value with this total. */
export interface Position {
  readonly total: number
  readonly value: string
}

export function writeCursor({ total, value }: Position): string {
  return Buffer.from(JSON.stringify([total, value])).toString('base64url')
}

/** @throws {ServiceProblem} cursor_invalid */
export function readCursor(cursor: string): Position {
  let content: unknown
  try {
    content = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
  } catch {
    content = undefined
  }
  const [total, value] = Array.isArray(content) ? (content as unknown[]) : []
  if (!Number.isSafeInteger(total) || typeof value !== 'string' || value.includes('\0')) {
    throw problem('cursor_invalid', '"cursor" must be the unchanged "nextCursor" of the previous page.', 'cursor')
  }
  return { total: total as number, value }
}
