/**
 * The codes in the column `agent`: three characters, for the browser, the operating system and the kind of device. These tables
 * are append-only: stored clicks contain the codes, so a code never gets another meaning and is never removed.
 */

/** Stands for everything that has no code of its own. */
const other = '0'

export const browsers = {
  [other]: 'Other',
  a: 'Chrome',
  b: 'Safari',
  c: 'Edge',
  d: 'Firefox',
  e: 'Samsung Internet',
  f: 'Opera',
  g: 'Brave',
  h: 'Vivaldi',
  i: 'DuckDuckGo',
  j: 'Yandex Browser',
  k: 'UC Browser',
  l: 'QQ Browser',
  m: 'WeChat',
  n: 'Whale',
  o: 'Amazon Silk',
  p: 'Android Browser',
  q: 'Chromium',
  r: 'Electron',
  s: 'Internet Explorer',
  t: 'Google Search',
  u: 'Vivo Browser',
  v: 'HeyTap Browser',
  w: 'Sogou Browser',
  x: 'LibreWolf',
} as const

export const operatingSystems = {
  [other]: 'Other',
  a: 'Windows',
  b: 'macOS',
  c: 'iOS',
  d: 'Android',
  e: 'Linux',
  f: 'Chrome OS',
  g: 'HarmonyOS',
  h: 'Windows Phone',
  i: 'Tizen',
  j: 'webOS',
  k: 'PlayStation',
} as const

export const devices = {
  [other]: 'Other',
  a: 'Desktop',
  b: 'Mobile',
  c: 'Tablet',
  d: 'TV',
} as const

/** A parsed user agent, with names from the tables above. */
export interface Agent {
  readonly browser: string
  readonly os: string
  readonly device: string
}

const browserCodes = codesOf(browsers)
const osCodes = codesOf(operatingSystems)
const deviceCodes = codesOf(devices)

/** The agent as three characters. Names that are not in the tables become "Other". */
export function encodeAgent({ browser, os, device }: Agent): string {
  return (browserCodes.get(browser) ?? other) + (osCodes.get(os) ?? other) + (deviceCodes.get(device) ?? other)
}

/** Codes that are not in the tables, of a later version for example, become "Other". */
export function decodeAgent(code: string): Agent {
  return {
    browser: nameOf(browsers, code.charAt(0)),
    os: nameOf(operatingSystems, code.charAt(1)),
    device: nameOf(devices, code.charAt(2)),
  }
}

function codesOf(table: Readonly<Record<string, string>>): Map<string, string> {
  return new Map(Object.entries(table).map(([code, name]) => [name, code]))
}

function nameOf(table: Readonly<Record<string, string>>, code: string): string {
  return Object.hasOwn(table, code) ? (table[code] as string) : (table[other] as string)
}
