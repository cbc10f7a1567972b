import { type Agent, encodeAgent } from '@clicktally/dimensions/agent-codes.ts'
import { RecentCache } from '@clicktally/dimensions/recent-cache.ts'
import type { AgentFacts } from '@clicktally/event/click-check.ts'
import { cutText } from '@clicktally/event/cut-text.ts'
import { maxCharsOf } from '@clicktally/event/event-fields.ts'
import Bowser from 'bowser'
import { isbot } from 'isbot'

/** A few thousand user agents are behind nearly all clicks of a site. Takes 2 MB at most. */
const cache = new RecentCache<AgentFacts>(4_096)
const maxChars = maxCharsOf('userAgent')

/** Bowser's names that differ from those in the table of codes. */
const browserNames: Readonly<Record<string, string>> = {
  'Microsoft Edge': 'Edge',
  'Samsung Internet for Android': 'Samsung Internet',
  'QQ Browser Lite': 'QQ Browser',
  'NAVER Whale Browser': 'Whale',
}
const osNames: Readonly<Record<string, string>> = { WebOS: 'webOS', 'PlayStation 4': 'PlayStation' }
const deviceNames: Readonly<Record<string, string>> = {
  desktop: 'Desktop',
  mobile: 'Mobile',
  tablet: 'Tablet',
  tv: 'TV',
}

/**
 * What a user agent tells: browser, operating system and device as codes, and whether it is a bot. The text itself is kept only in
 * a cache in memory. Undefined for an empty text. Never throws.
 *
 * A text that is in the cache takes 0.1 µs, another one up to 0.1 ms.
 */
export function readUserAgent(userAgent: string | undefined): AgentFacts | undefined {
  return userAgent ? cache.get(cutText(userAgent, maxChars), parse) : undefined
}

function parse(userAgent: string): AgentFacts {
  return { code: encodeAgent(agentOf(userAgent)), isBot: isbot(userAgent) }
}

function agentOf(userAgent: string): Agent {
  const parser = Bowser.getParser(userAgent, true)
  const browser = parser.parseBrowser().name ?? ''
  const os = parser.parseOS().name ?? ''
  const device = parser.parsePlatform().type ?? ''
  return {
    browser: browserNames[browser] ?? browser,
    os: osNames[os] ?? os,
    device: deviceNames[device] ?? '',
  }
}
