import { channelHosts, channelMediums, googleSearch } from './channel-hosts.ts'
import { RecentCache } from './recent-cache.ts'
import type { UrlParts } from './url-parts.ts'

/** How a visitor came to the page. */
export const channels = [
  'direct',
  'internal',
  'search',
  'social',
  'email',
  'ai',
  'paid',
  'referral',
  'campaign',
] as const
export type Channel = (typeof channels)[number]

/** Most clicks have one of few referrers. */
const ofReferrers = new RecentCache<Channel>(2_048)
const byHost = indexOf(channelHosts)
const byMedium = indexOf(channelMediums)

/**
 * The channel of a click. What the page's own URL says is more precise than the referrer: the parameters of an advertisement,
 * then `utm_medium`, then a `utm_source` that is a known site. A tagged URL of which none is known is a `campaign`.
 *
 * @param page of the click
 * @param referrer that led to the page
 * @returns undefined if neither is known: nothing can be said then
 */
export function channelOf(page: UrlParts, referrer: UrlParts): Channel | undefined {
  const { utm_medium: medium, utm_source: source } = page.utm
  if (page.isAdClick) return 'paid'
  const tagged = channelOfMedium(medium) ?? channelOfSource(source)
  if (tagged !== undefined) return tagged
  if (medium !== undefined || source !== undefined) return 'campaign'
  if (referrer.host === undefined) return page.host === undefined ? undefined : 'direct'
  if (referrer.host === page.host) return 'internal'
  return ofReferrers.get(referrer.host, (host) => channelOfHost(host) ?? 'referral')
}

function channelOfMedium(medium: string | undefined): Channel | undefined {
  return medium === undefined ? undefined : byMedium.get(medium.toLowerCase())
}

/** A source is a host, or its name without `.com`, or the name of a medium, such as `newsletter`. */
function channelOfSource(source: string | undefined): Channel | undefined {
  if (source === undefined) return undefined
  const host = source.toLowerCase()
  return channelOfHost(host) ?? channelOfHost(`${host}.com`) ?? byMedium.get(host)
}

/** Looks up the host, then the domains that it belongs to. */
function channelOfHost(host: string): Channel | undefined {
  for (let from = 0; ; from += 1) {
    const known = byHost.get(host.slice(from))
    if (known !== undefined) return known
    from = host.indexOf('.', from)
    if (from === -1) return googleSearch.test(host) ? 'search' : undefined
  }
}

function indexOf(lists: Readonly<Partial<Record<Channel, readonly string[]>>>): Map<string, Channel> {
  return new Map(
    Object.entries(lists).flatMap(([channel, texts]) => texts.map((text) => [text, channel as Channel] as const)),
  )
}
