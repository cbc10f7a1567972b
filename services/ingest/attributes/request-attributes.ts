import type { IncomingHttpHeaders } from 'node:http'
import type { AgentFacts, Receipt } from '@clicktally/event/click-check.ts'
import type { SnapshotKey } from '@clicktally/keys/key-snapshot.ts'
import { clientAddress } from '../access/client-address.ts'
import { openKey } from '../access/sender-access.ts'
import { countryCode } from './country-code.ts'
import type { CountryFile } from './country-file.ts'
import { readUserAgent } from './user-agents.ts'

type Attributes = Pick<Receipt, 'isServer' | 'agentOf' | 'countryOf'>

const ofServer: Attributes = { isServer: true, agentOf: readUserAgent }

/**
 * What a request tells about the visitor: country, browser, operating system, device, and whether it is a bot.
 *
 * A server names country and user agent in its events, because the request's own are those of the server. A browser's are those
 * of the request. They are read only for the clicks that need them; neither user agent nor address leave this process.
 */
export class RequestAttributes {
  readonly #countryHeader: string | undefined
  readonly #countries: Pick<CountryFile, 'countryOf'> | undefined

  /**
   * @param countryHeader in lower case: a header with the country, which a proxy sets
   * @param countries of addresses
   */
  constructor(countryHeader?: string, countries?: Pick<CountryFile, 'countryOf'>) {
    this.#countryHeader = countryHeader
    this.#countries = countries
  }

  of(key: SnapshotKey, headers: IncomingHttpHeaders): Attributes {
    const isServer = key.role !== 'write'
    // In open mode a request without a key may come from a page or from a program such as curl.
    if (isServer && !(key === openKey && isFromBrowser(headers))) return ofServer
    return {
      isServer,
      agentOf: (userAgent) => (userAgent === undefined ? agentOfRequest(headers) : readUserAgent(userAgent)),
      countryOf: this.#countryOf(headers),
    }
  }

  /** Looks the country up when it is first needed. */
  #countryOf(headers: IncomingHttpHeaders): (() => string | undefined) | undefined {
    if (this.#countryHeader === undefined && this.#countries === undefined) return undefined
    let country: string | undefined
    let isKnown = false
    return () => {
      if (!isKnown) country = this.#fromHeader(headers) ?? this.#fromAddress(headers)
      isKnown = true
      return country
    }
  }

  #fromHeader(headers: IncomingHttpHeaders): string | undefined {
    return this.#countryHeader === undefined ? undefined : countryCode(headers[this.#countryHeader])
  }

  #fromAddress(headers: IncomingHttpHeaders): string | undefined {
    const address = this.#countries && clientAddress(headers)
    return address === undefined ? undefined : this.#countries?.countryOf(address)
  }
}

/**
 * Another program than a browser with a write key is an app. Libraries such as okhttp name themselves in its user agent, and do not
 * make a bot of a person.
 */
function agentOfRequest(headers: IncomingHttpHeaders): AgentFacts | undefined {
  const agent = readUserAgent(headers['user-agent'])
  return agent?.isBot && !isFromBrowser(headers) ? { code: agent.code, isBot: false } : agent
}

/** Whether a browser sent the request. All send Origin with a POST, and new ones Sec-Fetch-Site with all requests. */
function isFromBrowser(headers: IncomingHttpHeaders): boolean {
  return headers.origin !== undefined || headers['sec-fetch-site'] !== undefined
}
