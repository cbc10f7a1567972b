import { rejection } from '@clicktally/event/click-rejection.ts'
import type { FormatChoices } from '../formats/format-choices.ts'
import { identifiedId, type Reading, type RecordReader } from '../formats/import-record.ts'
import { lineReader } from '../formats/line-records.ts'
import { type PeerClick, pageTarget, readingOf, skippedOther, skippedPageview, withoutTime } from './peer-click.ts'

/** Matomo's code for a country that it does not know. */
const unknownCountry = 'xx'

type Json = Readonly<Record<string, unknown>>

/** The visits of Matomo's `Live.getLastVisitsDetails`, a visit in each line. A click is identified by its visit and its place in it. */
export function matomoReader(choices: FormatChoices): RecordReader {
  return lineReader(({ text, isCut }) => {
    if (isCut) return { event: rejection('event_too_large', undefined, 'A visit in one line is at most 64 KiB.') }
    let visit: unknown
    try {
      visit = JSON.parse(text)
    } catch {
      return { event: rejection('not_json') }
    }
    const actions = isObject(visit) ? visit.actionDetails : undefined
    if (!isObject(visit) || !Array.isArray(actions)) {
      return { event: { code: 'not_a_visit', detail: 'The line is no visit: it has no "actionDetails".' } }
    }
    return clicksOf(visit, actions, choices)
  })
}

function* clicksOf(visit: Json, actions: readonly unknown[], { source, pageviews }: FormatChoices): Generator<Reading> {
  for (const [index, action] of actions.entries()) {
    if (!isObject(action)) continue
    const what = whatOf(action, pageviews)
    if ('event' in what) {
      yield what
      continue
    }
    const timeMs = Number(action.timestamp) * 1_000
    if (!Number.isInteger(timeMs)) yield withoutTime
    else {
      const id = identifiedId(timeMs, source, 'matomo', text(visit.idSite), text(visit.idVisit), index)
      yield readingOf({
        ...what,
        id,
        timeMs,
        visitorId: text(visit.visitorId),
        referrer: text(visit.referrerUrl),
        country: visit.countryCode === unknownCountry ? undefined : text(visit.countryCode),
      })
    }
  }
}

/** What an action counts for, or why it does not count. */
function whatOf(action: Json, pageviews: boolean): Pick<PeerClick, 'target' | 'url' | 'props'> | Reading {
  const url = text(action.url)
  switch (action.type) {
    case 'event':
      return {
        target: [action.eventCategory, action.eventAction].map(text).filter(Boolean).join(': '),
        url,
        props: { name: text(action.eventName), value: number(action.eventValue) },
      }
    case 'outlink':
      // As tally.js names them.
      return { target: `outbound: ${url.replace(/^[a-z]+:\/\//i, '').replace(/[?#].*$/s, '')}`, props: { url } }
    case 'download':
      return { target: `download: ${URL.parse(url)?.pathname ?? url}`, props: { url } }
    case 'action':
      return pageviews ? { target: pageTarget(URL.parse(url)?.pathname ?? url), url } : skippedPageview
    default:
      return skippedOther('a goal, a search, an order or content')
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : ''
}

function number(value: unknown): number | undefined {
  const parsed = typeof value === 'string' && value !== '' ? Number(value) : value
  return typeof parsed === 'number' && Number.isFinite(parsed) ? parsed : undefined
}
