import { cutText } from '@clicktally/event/cut-text.ts'
import { maxCharsOf } from '@clicktally/event/event-fields.ts'
import type { Reading } from '../formats/import-record.ts'

/** A click in the words of another counter. What is empty or unknown is left out, what is too long is cut. */
export interface PeerClick {
  /** Undefined if an id cannot have the time. The server then says so. */
  readonly id: string | undefined
  readonly timeMs: number
  readonly target: string
  readonly visitorId?: string | undefined
  readonly url?: string | undefined
  readonly referrer?: string | undefined
  /** In any case; other than two letters it is left out. */
  readonly country?: string | undefined
  readonly userAgent?: string | undefined
  readonly isBot?: boolean
  readonly props?: Readonly<Record<string, string | number | undefined>>
}

const maxPropChars = 1_024

export function readingOf({ id, timeMs, target, country, isBot, props = {}, ...texts }: PeerClick): Reading {
  const named = (['visitorId', 'url', 'referrer', 'userAgent'] as const).flatMap((name) => {
    const text = texts[name]
    return text ? [[name, clean(text, maxCharsOf(name))]] : []
  })
  const kept = Object.entries(props).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, typeof value === 'string' ? clean(value, maxPropChars) : value]],
  )
  const event = {
    ...(id !== undefined && { id }),
    occurredAt: new Date(timeMs).toISOString(),
    target: clean(target, maxCharsOf('target')),
    ...Object.fromEntries(named),
    ...(country !== undefined && /^[A-Za-z]{2}$/.test(country) && { country: country.toUpperCase() }),
    ...(isBot && { bot: true }),
    ...(kept.length > 0 && { props: Object.fromEntries(kept) }),
  }
  return { event: JSON.stringify(event), timeMs }
}

/** As a text that an event may contain. */
function clean(text: string, maxChars: number): string {
  return cutText(text.replaceAll('\0', '\ufffd').toWellFormed(), maxChars)
}

/** The target of a page view, as it is for those of Segment's libraries. */
export function pageTarget(path: string): string {
  return `page: ${path}`
}

/** A page view, which is imported only if a person wants it. */
export const skippedPageview: Reading = {
  event: {
    code: 'pageview',
    detail: 'A page view. With --pageviews it counts as a click on "page: " and its path.',
    isSkipped: true,
  },
}

/** Something else than a click or a page view. */
export function skippedOther(what: string): Reading {
  return { event: { code: 'other', detail: `Neither a click nor a page view: ${what}.`, isSkipped: true } }
}

/** A record without a time. */
export const withoutTime: Reading = {
  event: { code: 'time_missing', detail: 'The record has no time, or one in an unknown form.' },
}
