import { readFileSync } from 'node:fs'
import { hostUrls } from '@clicktally/hosts/host-urls.ts'
import { cellNamePattern, homeCell } from '@clicktally/system/cells.ts'

/** Names every variable that is invalid or missing. */
export class ConfigurationError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`The configuration is invalid:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`)
    this.name = 'ConfigurationError'
    this.problems = problems
  }
}

interface CellUrls {
  /** For the error message. */
  readonly example: string
  readonly protocols: readonly string[]
  readonly user: string
  readonly passwordName: string
}

type Source = Readonly<Record<string, string | undefined>>

/**
 * Reads settings from environment variables and collects all errors, so that one start reports every invalid variable. Read
 * all settings, then call {@link Environment.check} before using any.
 */
export class Environment {
  readonly #source: Source
  readonly #problems: string[] = []

  constructor(source: Source) {
    this.#source = source
  }

  /** A non-empty string. Without a fallback the variable must be set. */
  text(name: string, fallback?: string): string {
    const value = this.#source[name] || fallback
    if (value === undefined) this.#problems.push(`${name} is not set`)
    return value ?? ''
  }

  /** A non-empty string; undefined if it is not set. */
  optionalText(name: string): string | undefined {
    return this.#source[name] || undefined
  }

  /** What `parse` makes of a non-empty string. It returns undefined for what is wrong; `form` says what is right. */
  parsed<Value>(name: string, fallback: Value, parse: (text: string) => Value | undefined, form: string): Value {
    const raw = this.#source[name]
    if (!raw) return fallback
    const value = parse(raw)
    if (value === undefined) this.#problems.push(`${name} is "${raw}" but must be ${form}`)
    return value ?? fallback
  }

  /** An integer from `min` to `max`, inclusive. */
  integer(name: string, fallback: number, min: number, max: number): number {
    const raw = this.#source[name]
    if (!raw) return fallback
    const value = Number(raw)
    if (/^\d{1,15}$/.test(raw) && value >= min && value <= max) return value
    this.#problems.push(`${name} is "${raw}" but must be a whole number from ${min} to ${max}`)
    return fallback
  }

  /** One of the choices. */
  choice<const Choice extends string>(name: string, fallback: Choice, choices: readonly Choice[]): Choice {
    const raw = this.#source[name]
    if (!raw) return fallback
    const found = choices.find((choice) => choice === raw)
    if (found === undefined) this.#problems.push(`${name} is "${raw}" but must be one of ${choices.join(', ')}`)
    return found ?? fallback
  }

  /** Words separated by spaces or commas, each matching `form`. `example` is for the error message. Empty if not set. */
  words(name: string, form: RegExp, example: string): readonly string[] {
    const words = (this.#source[name] ?? '').split(/[\s,]+/).filter((word) => word !== '')
    const wrong = words.filter((word) => !form.test(word))
    if (wrong.length > 0) this.#problems.push(`${name} has "${wrong.join('", "')}" in it but must be like ${example}`)
    return words
  }

  /** A secret: the variable itself, or the content of the file that `<name>_FILE` names. Undefined if neither is set. */
  secret(name: string): string | undefined {
    const direct = this.#source[name]
    const file = this.#source[`${name}_FILE`]
    if (direct && file) this.#problems.push(`${name} and ${name}_FILE are both set: keep one`)
    if (direct || !file) return direct || undefined
    try {
      const content = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
      if (content === '') this.#problems.push(`${name}_FILE names ${file}, which is empty`)
      return content || undefined
    } catch (error) {
      this.#problems.push(`${name}_FILE names ${file}, which can't be read: ${(error as Error).message}`)
      return undefined
    }
  }

  /** Like {@link secret}, but required. */
  requiredSecret(name: string): string {
    const value = this.secret(name)
    const isGiven = value !== undefined || Boolean(this.#source[`${name}_FILE`])
    if (!isGiven) this.#problems.push(`${name} (or ${name}_FILE) is not set`)
    return value ?? ''
  }

  /**
   * The URL of a server. If it has no password, the secret `passwordName` is added. Errors never quote the URL, as it may
   * contain a password.
   */
  serverUrl(name: string, fallback: string, protocols: readonly string[], passwordName?: string): string {
    const raw = this.#source[name] || fallback
    const password = passwordName === undefined ? undefined : this.secret(passwordName)
    const url = URL.parse(raw)
    if (url === null || !protocols.includes(url.protocol) || url.hostname === '') {
      this.#problems.push(`${name} must be a URL like ${fallback}`)
      return raw
    }
    if (password !== undefined && url.password === '') url.password = encodeURIComponent(password)
    return url.href
  }

  /**
   * Like {@link serverUrl}, for a cluster: with one host or several, as in `amqp://ingest@a:5672,b:5672`. hostUrls() of packages/hosts
   * splits it.
   */
  clusterUrl(name: string, fallback: string, protocols: readonly string[], passwordName?: string): string {
    const raw = this.#source[name] || fallback
    const password = passwordName === undefined ? undefined : this.secret(passwordName)
    const url = clusterUrlOf(raw, protocols, password)
    if (url === undefined) {
      this.#problems.push(`${name} must be a URL like ${fallback}, with one host or several separated by commas`)
    }
    return url ?? raw
  }

  /**
   * The URLs of clusters by the name of their cell (decision 0047): words like `eu=amqp://a:5672,b:5672`, separated by spaces. Empty if it
   * is not set. A URL without a user gets `user` and the secret `passwordName`, so that one list serves all programs.
   */
  cellUrls(name: string, { example, protocols, user, passwordName }: CellUrls): ReadonlyMap<string, string> {
    const urls = new Map<string, string>()
    const words = (this.#source[name] ?? '').split(/\s+/).filter((word) => word !== '')
    const password = words.length === 0 ? undefined : this.secret(passwordName)
    for (const [index, word] of words.entries()) {
      const [, cell = '', raw = ''] = /^([^=]*)=(.*)$/.exec(word) ?? []
      const url = clusterUrlOf(raw.includes('@') ? raw : raw.replace('://', `://${user}@`), protocols, password)
      const isNew = new RegExp(cellNamePattern).test(cell) && cell !== homeCell && !urls.has(cell)
      if (url !== undefined && isNew) urls.set(cell, url)
      else {
        this.#problems.push(
          `${name}: word ${index + 1} must be like ${example}, with a name of its own in lower-case letters, digits and hyphens, not "${homeCell}"`,
        )
      }
    }
    return urls
  }

  /** Like {@link serverUrl}, but optional. `example` is for the error message. */
  optionalServerUrl(
    name: string,
    example: string,
    protocols: readonly string[],
    passwordName?: string,
  ): string | undefined {
    if (this.#source[name]) return this.serverUrl(name, example, protocols, passwordName)
    if (passwordName !== undefined && this.secret(passwordName) !== undefined) {
      this.#problems.push(`${passwordName} is set, but ${name} is not`)
    }
    return undefined
  }

  /** Reports settings that are invalid together. */
  reject(problem: string): void {
    this.#problems.push(problem)
  }

  /** @throws {ConfigurationError} if any setting is invalid or missing. */
  check(): void {
    if (this.#problems.length > 0) throw new ConfigurationError(this.#problems)
  }
}

function urlsOf(text: string): readonly URL[] {
  try {
    return hostUrls(text).map((url) => new URL(url))
  } catch {
    return []
  }
}

/** The URL with the password, unless it has one. Undefined if it is invalid. */
function clusterUrlOf(raw: string, protocols: readonly string[], password: string | undefined): string | undefined {
  const [first] = urlsOf(raw)
  if (first === undefined || !protocols.includes(first.protocol)) return undefined
  return password === undefined || first.password !== '' ? raw : withPassword(raw, password)
}

/** @param url without a password */
function withPassword(url: string, password: string): string {
  return url.replace(
    /^([^:]+:\/\/)(?:([^/?#@:]*):?@)?/,
    (_, scheme: string, user = '') => `${scheme}${user}:${encodeURIComponent(password)}@`,
  )
}

/**
 * Reads the configuration. If it is invalid, prints the errors and ends the process with status 1.
 */
export function readConfigOrExit<Config>(read: (source: Source) => Config, source: Source): Config {
  try {
    return read(source)
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  }
}
