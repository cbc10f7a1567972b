/** A click as `POST /v1/events/batch` accepts it. `occurredAt` is RFC 3339 in UTC with milliseconds. */
export interface Click {
  id: string
  target: string
  occurredAt: string
  visitorId?: string
  referrer?: string
  userAgent?: string
  country?: string
  bot?: true
}
