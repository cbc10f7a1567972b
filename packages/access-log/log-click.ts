import { isbot } from 'isbot'
import type { LogLine } from './log-line.ts'
import { visitorIdFor } from './visitor-id.ts'

// A browser's name is shorter; the pattern that knows bots need not search what somebody made longer.
const maxUserAgentLength = 1024

/** What a line of an access log tells of a click: an event but for its id and its time. */
export interface LogClick {
  target: string
  visitorId?: string
  referrer?: string
  bot?: true
}

/** @param visitorKey from which the visitor's id is made, so that no address leaves the log */
export function logClick(read: LogLine, visitorKey: Buffer): LogClick {
  return {
    target: read.target,
    ...(read.address !== undefined && { visitorId: visitorIdFor(read.address, visitorKey) }),
    ...(read.referrer !== undefined && { referrer: read.referrer }),
    ...(isBot(read) && { bot: true }),
  }
}

export function isBot({ userAgent }: LogLine): boolean {
  return isbot(userAgent?.slice(0, maxUserAgentLength))
}
