import { cutText } from '@clicktally/event/cut-text.ts'
import { maxCharsOf } from '@clicktally/event/event-fields.ts'
import { isbot } from 'isbot'
import type { LogLine } from './log-line.ts'
import { visitorIdFor } from './visitor-id.ts'

// Longer ones are refused. Also limits the work of the bot pattern.
const maxUserAgentChars = maxCharsOf('userAgent')

/** The fields of an event that an access log line provides: all but its id and its time. */
export interface LogClick {
  target: string
  visitorId?: string
  referrer?: string
  userAgent?: string
  bot?: true
}

/** @param visitorKey for deriving the visitor id, so that no address leaves the log */
export function logClick(read: LogLine, visitorKey: Buffer): LogClick {
  return {
    target: read.target,
    ...(read.address !== undefined && { visitorId: visitorIdFor(read.address, visitorKey) }),
    ...(read.referrer !== undefined && { referrer: read.referrer }),
    ...(read.userAgent !== undefined && { userAgent: cutText(read.userAgent, maxUserAgentChars) }),
    ...(isBot(read) && { bot: true }),
  }
}

export function isBot({ userAgent }: LogLine): boolean {
  return isbot(userAgent?.slice(0, maxUserAgentChars))
}
