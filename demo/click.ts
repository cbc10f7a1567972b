import { hash } from 'node:crypto'

/** One click in the form that `POST /v1/events/batch` takes. `occurredAt` is RFC 3339 in UTC with milliseconds. */
export interface Click {
  id: string
  target: string
  occurredAt: string
  visitorId?: string
  referrer?: string
  bot?: true
}

/** The text, or its first `maxLength` UTF-16 units: one less where the cut would split a surrogate pair. */
export function cutText(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text
  const lastUnit = text.charCodeAt(maxLength - 1)
  const splitsPair = lastUnit >= 0xd800 && lastUnit <= 0xdbff
  return text.slice(0, splitsPair ? maxLength - 1 : maxLength)
}

/** 16 hex digits that stand for a visitor, so that no address leaves the log. */
export function visitorIdFor(address: string): string {
  return hash('sha256', address, 'hex').slice(0, 16)
}
