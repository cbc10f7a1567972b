/** What can be told about a click, beside its target. */
export interface ClickFields {
  /** A UUID of version 7. Clicks with the same id are counted once. Made here if absent. */
  readonly id?: string
  /** RFC 3339; at most 72 hours ago. Default: the time of the call. */
  readonly occurredAt?: string
  /** Who clicked, at most 128 characters; for counting unique visitors. */
  readonly visitorId?: string
  /** The page on which the click happened. */
  readonly url?: string
  /** The page that led there. */
  readonly referrer?: string
  /** A flat object with your own data; at most 30 names. */
  readonly props?: Readonly<Record<string, string | number | boolean | null>>
  /** Two capital letters (ISO 3166). Only with a secret key. */
  readonly country?: string
  /** The User-Agent of the visitor, at most 512 characters: tells browser, system and device. Not stored. Only with a secret key. */
  readonly userAgent?: string
  /** The click came from a program; counted separately. */
  readonly bot?: boolean
}

export interface Click extends ClickFields {
  readonly id: string
  readonly target: string
}
