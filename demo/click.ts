/** One click in the form that `POST /v1/events/batch` takes. `occurredAt` is RFC 3339 in UTC with milliseconds. */
export interface Click {
  id: string
  target: string
  occurredAt: string
  visitorId?: string
  referrer?: string
  bot?: true
}
