import { cutText } from '@clicktally/event/cut-text.ts'
import { adClickParameters } from './channel-hosts.ts'
import { RecentCache } from './recent-cache.ts'

/** Most characters of a dimension's value; longer ones are cut. */
export const maxValueChars = 256

export const utmParameters = ['utm_source', 'utm_medium', 'utm_campaign', 'utm_term', 'utm_content'] as const
export type UtmParameter = (typeof utmParameters)[number]

/** What the dimensions need of a URL. */
export interface UrlParts {
  /** In lower case, without `www.` and the port; undefined for a URL without a host. */
  readonly host: string | undefined
  /** Without the query. Percent-encoded characters are decoded. */
  readonly path: string | undefined
  readonly utm: Readonly<Partial<Record<UtmParameter, string>>>
  /** Whether it has a parameter of an advertising network. */
  readonly isAdClick: boolean
}

/** Most pages of a site have few URLs, so nearly all lookups are hits. Holds a few megabytes at most. */
const cache = new RecentCache<UrlParts>(8_192)
/** Longer URLs are mostly unique, and would fill the cache. */
const maxCachedChars = 300

const noParts: UrlParts = { host: undefined, path: undefined, utm: {}, isAdClick: false }
/** A host that is never used: makes a relative URL absolute. */
const base = 'http://relative.invalid'

/** Parses whatever a client sent as a URL. Never throws; a text that is no URL has no parts. */
export function urlParts(text: string | null | undefined): UrlParts {
  if (!text) return noParts
  return text.length > maxCachedChars ? parse(text) : cache.get(text, parse)
}

function parse(text: string): UrlParts {
  const isRelative = text.startsWith('/') && !text.startsWith('//')
  const url = isRelative ? URL.parse(text, base) : URL.parse(text)
  if (url === null) return noParts
  const host = isRelative ? undefined : hostOf(url)
  const parameters = mayHaveParameters(url.search) ? url.searchParams : undefined
  return {
    host,
    path: host === undefined && !isRelative ? undefined : valueOfText(decodePath(url.pathname)),
    utm: parameters === undefined ? {} : utmOf(parameters),
    isAdClick: parameters !== undefined && adClickParameters.some((name) => parameters.has(name)),
  }
}

/** Parsing the parameters takes longer than the rest. */
function mayHaveParameters(query: string): boolean {
  return query.includes('utm') || query.includes('%') || adClickParameters.some((name) => query.includes(name))
}

function hostOf({ hostname }: URL): string | undefined {
  // Hosts of schemes other than http keep their case.
  const host = hostname.toLowerCase()
  return valueOfText(host.startsWith('www.') ? host.slice(4) : host)
}

function utmOf(parameters: URLSearchParams): UrlParts['utm'] {
  const utm: Partial<Record<UtmParameter, string>> = {}
  for (const name of utmParameters) {
    const value = valueOfText(parameters.get(name))
    if (value !== undefined) utm[name] = value
  }
  return utm
}

function decodePath(path: string): string {
  if (!path.includes('%')) return path
  try {
    return decodeURI(path)
  } catch {
    return path
  }
}

/**
 * A text as the value of a dimension: without spaces at its ends and without U+0000, which PostgreSQL cannot store, at most
 * `maxValueChars` long. Undefined if nothing is left.
 */
export function valueOfText(text: string | null | undefined): string | undefined {
  if (!text) return undefined
  const clean = (text.includes('\0') ? text.replaceAll('\0', '') : text).trim()
  return clean === '' ? undefined : cutText(clean, maxValueChars)
}
