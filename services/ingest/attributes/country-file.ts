import { readFile, stat } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import { type CountryResponse, Reader } from 'mmdb-lib'
import type { Logger } from 'pino'
import { countryCode } from './country-code.ts'

/** Files of this kind are published at most daily. */
const checkEveryMs = 60_000
/** A country file has a few hundred records, a file of cities many more. */
const maxCachedRecords = 4_096

/** Records of the known files: MaxMind and DB-IP have `country.iso_code`, IPinfo and ip-location-db a text. */
interface CountryRecord {
  readonly country?: string | { readonly iso_code?: string }
  readonly country_code?: string
}

/**
 * The countries of addresses, from a file in the MaxMind format that the operator provides. It is read again when it is replaced.
 * If it cannot be read, that is logged, and tried again; the last content stays in use.
 *
 * Call close() at the end.
 */
export class CountryFile {
  readonly #path: string
  readonly #logger: Logger
  #reader: Reader<CountryResponse> | undefined
  /** Tells versions of the file apart. */
  #version: string | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(path: string, logger: Logger) {
    this.#path = path
    this.#logger = logger
  }

  /** Reads the file, and keeps watching it. Never fails. */
  async open(): Promise<void> {
    await this.refresh()
    this.#timer = setTimeout(() => this.open(), checkEveryMs).unref()
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  /** Reads the file if it has changed. */
  async refresh(): Promise<void> {
    try {
      const { mtimeMs, size, ino } = await stat(this.#path)
      const version = `${mtimeMs} ${size} ${ino}`
      if (version === this.#version) return
      // A version that cannot be read is logged once.
      this.#version = version
      const reader = new Reader<CountryResponse>(await readFile(this.#path), { cache: new RecordCache() })
      this.#reader = reader
      const { databaseType, buildEpoch } = reader.metadata
      this.#logger.info({ path: this.#path, type: databaseType, built: buildEpoch }, 'the country file was read')
    } catch (err) {
      this.#logger.error({ err, path: this.#path }, 'the country file cannot be read')
    }
  }

  /** Two capital letters. Undefined if it is not known. @param address IPv4 or IPv6 */
  countryOf(address: string): string | undefined {
    const reader = this.#reader
    if (reader === undefined || (reader.metadata.ipVersion === 4 && isIPv6(address))) return undefined
    try {
      const record: CountryRecord | null = reader.get(address)
      const { country, country_code } = record ?? {}
      return countryCode(typeof country === 'string' ? country : (country?.iso_code ?? country_code))
    } catch {
      // The file is damaged in this place. A click is not refused for that.
      return undefined
    }
  }
}

/** Decoded records: decoding takes longer than the search. */
class RecordCache {
  readonly #records = new Map<string | number, unknown>()

  get(key: string | number): unknown {
    return this.#records.get(key)
  }

  set(key: string | number, record: unknown): void {
    if (this.#records.size >= maxCachedRecords) this.#records.clear()
    this.#records.set(key, record)
  }
}
