import { labelled } from '@clicktally/terminal/progress.ts'
import type { ImportFormat } from '../formats/import-format.ts'

/** What the export of another counter brings, and what it cannot. */
interface Account {
  readonly name: string
  /** What becomes a click. */
  readonly brings: string
  /** What is lost, and why. */
  readonly lacks: string
}

/** docs/importing.md says the same, which a test compares. */
export const accounts: Readonly<Partial<Record<ImportFormat, Account>>> = {
  plausible: {
    name: 'Plausible',
    brings: 'counts of custom events by day, as clicks at noon of the day, with the URL or path of the event',
    lacks:
      'times of day, visitors, countries, browsers, referrers and custom properties: they are not in the counts of events',
  },
  umami: {
    name: 'Umami',
    brings: 'custom events with their time, page, referrer and country, and the session as the visitor',
    lacks: 'event data, browser, system and device: the first is in another table, the others are no user agent',
  },
  goatcounter: {
    name: 'GoatCounter',
    brings: 'events with their time, referrer, country and bot mark, and the session as the visitor',
    lacks: 'browser and system of version 2, and referrers that are no URL',
  },
  matomo: {
    name: 'Matomo',
    brings: 'events, outlinks and downloads with their time, referrer and country, and the visitor',
    lacks: 'browser, system and device, goals, searches, orders and content',
  },
}

/** The account of a format as lines for people; none for formats of our own. */
export function accountOf(format: ImportFormat): string[] {
  const account = accounts[format]
  if (account === undefined) return []
  return [labelled('Brings', `from ${account.name} ${account.brings}.`), labelled('Lacks', `${account.lacks}.`)]
}
