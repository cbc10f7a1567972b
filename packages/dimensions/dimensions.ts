import { decodeAgent } from './agent-codes.ts'
import { channelOf } from './channels.ts'
import { type UtmParameter, urlParts, utmParameters, valueOfText } from './url-parts.ts'

/** A stored click, as far as dimensions are read from it. */
export interface DimensionRow {
  readonly target: string
  readonly url?: string | null | undefined
  readonly referrer?: string | null | undefined
  readonly country?: string | null | undefined
  readonly agent?: string | null | undefined
  readonly props?: Readonly<Record<string, unknown>> | null | undefined
}

/** The columns of a stored click that dimensions are read from. */
export type DimensionSource = keyof DimensionRow

/** A property of a click by which counts can be broken down. */
export interface Dimension {
  readonly name: string
  readonly description: string
  /** The one or two columns that the value depends on: equal ones have an equal value. */
  readonly sources: readonly [DimensionSource] | readonly [DimensionSource, DimensionSource]
  /**
   * What the value depends on, in each of two columns: clicks with equal keys have an equal value. Many different URLs and referrers
   * are many more different pairs, but have few different keys.
   */
  readonly keysOf?: readonly [(first: string) => string, (second: string) => string]
  /**
   * The value of a click: 1 to `maxValueChars` characters that PostgreSQL can store. Undefined if the click has none. Never throws,
   * whatever the row contains.
   */
  readonly valueOf: (row: DimensionRow) => string | undefined
}

const utmDescriptions: Record<UtmParameter, string> = {
  utm_source: 'Who sent the visitor: the parameter utm_source of the page.',
  utm_medium: 'The kind of link, such as email: the parameter utm_medium of the page.',
  utm_campaign: 'The campaign: the parameter utm_campaign of the page.',
  utm_term: 'The paid keyword: the parameter utm_term of the page.',
  utm_content: 'The variant of the link: the parameter utm_content of the page.',
}

/** The target as a dimension. */
export const targetDimension: Dimension = {
  name: 'target',
  description: 'What was clicked.',
  sources: ['target'],
  valueOf: ({ target }) => target,
}

/** The dimensions of every project besides the target. `props.<name>` are further ones: see propDimension(). */
export const dimensions: readonly Dimension[] = [
  {
    name: 'country',
    description: 'The country of the visitor, as an ISO 3166 code of two letters.',
    sources: ['country'],
    valueOf: ({ country }) => valueOfText(country),
  },
  {
    name: 'browser',
    description: 'The browser, without its version.',
    sources: ['agent'],
    valueOf: ({ agent }) => agentOf(agent)?.browser,
  },
  {
    name: 'os',
    description: 'The operating system, without its version.',
    sources: ['agent'],
    valueOf: ({ agent }) => agentOf(agent)?.os,
  },
  {
    name: 'device',
    description: 'The kind of device: Desktop, Mobile, Tablet, TV or Other.',
    sources: ['agent'],
    valueOf: ({ agent }) => agentOf(agent)?.device,
  },
  {
    name: 'referrer',
    description: 'The host of the page that led to this one, without "www.".',
    sources: ['referrer'],
    valueOf: ({ referrer }) => urlParts(referrer).host,
  },
  {
    name: 'channel',
    description:
      'How the visitor came: direct, internal, search, social, email, ai, paid, referral or campaign. From the parameters of the page and from the referrer.',
    sources: ['url', 'referrer'],
    keysOf: [pageKey, referrerKey],
    valueOf: ({ url, referrer }) => channelOf(urlParts(url), urlParts(referrer)),
  },
  {
    name: 'host',
    description: 'The host of the page, without "www.".',
    sources: ['url'],
    valueOf: ({ url }) => urlParts(url).host,
  },
  {
    name: 'path',
    description: 'The path of the page, without the query.',
    sources: ['url'],
    valueOf: ({ url }) => urlParts(url).path,
  },
  ...utmParameters.map(
    (name): Dimension => ({
      name,
      description: utmDescriptions[name],
      sources: ['url'],
      valueOf: ({ url }) => urlParts(url).utm[name],
    }),
  ),
]

const byName = new Map(dimensions.map((dimension) => [dimension.name, dimension]))
const propPrefix = 'props.'

/** The dimension `props.<name>`: a prop that clients send. Numbers and booleans are written as in JSON. */
export function propDimension(prop: string): Dimension {
  return {
    name: propPrefix + prop,
    description: `The value of the prop "${prop}".`,
    sources: ['props'],
    valueOf: ({ props }) => (props && Object.hasOwn(props, prop) ? valueOfProp(props[prop]) : undefined),
  }
}

/** The dimension with this name; undefined if there is none. Every name after `props.` is one. */
export function dimensionNamed(name: string): Dimension | undefined {
  if (name.startsWith(propPrefix) && name.length > propPrefix.length)
    return propDimension(name.slice(propPrefix.length))
  return byName.get(name)
}

/** What channelOf() reads of the page. No part contains U+0000. */
function pageKey(url: string): string {
  const { host = '', utm, isAdClick } = urlParts(url)
  return [isAdClick, host, utm.utm_medium ?? '', utm.utm_source ?? ''].join('\0')
}

function referrerKey(referrer: string): string {
  return urlParts(referrer).host ?? ''
}

function agentOf(code: string | null | undefined) {
  return code ? decodeAgent(code) : undefined
}

function valueOfProp(value: unknown): string | undefined {
  if (typeof value === 'string') return valueOfText(value)
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}
