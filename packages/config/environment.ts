import { readFileSync } from 'node:fs'

/** Every variable that was wrong or missing, in one error. */
export class ConfigurationError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`The configuration is wrong:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`)
    this.name = 'ConfigurationError'
    this.problems = problems
  }
}

type Source = Readonly<Record<string, string | undefined>>

/**
 * Reads settings from environment variables and collects what is wrong with them, so that one start names every bad
 * variable. Read all, then call {@link Environment.check} before using any.
 */
export class Environment {
  readonly #source: Source
  readonly #problems: string[] = []

  constructor(source: Source) {
    this.#source = source
  }

  /** Text that is not empty. Without a fallback the variable must be set. */
  text(name: string, fallback?: string): string {
    const value = this.#source[name] || fallback
    if (value === undefined) this.#problems.push(`${name} is not set`)
    return value ?? ''
  }

  /** A whole number from `least` to `most`, both included. */
  integer(name: string, fallback: number, least: number, most: number): number {
    const raw = this.#source[name]
    if (!raw) return fallback
    const value = Number(raw)
    if (/^\d{1,15}$/.test(raw) && value >= least && value <= most) return value
    this.#problems.push(`${name} is "${raw}" but must be a whole number from ${least} to ${most}`)
    return fallback
  }

  /** One of a few words. */
  choice<const Choice extends string>(name: string, fallback: Choice, choices: readonly Choice[]): Choice {
    const raw = this.#source[name]
    if (!raw) return fallback
    const found = choices.find((choice) => choice === raw)
    if (found === undefined) this.#problems.push(`${name} is "${raw}" but must be one of ${choices.join(', ')}`)
    return found ?? fallback
  }

  /** Words separated by blanks or commas, each of this form; `example` is only shown. None where the variable is not set. */
  words(name: string, form: RegExp, example: string): readonly string[] {
    const words = (this.#source[name] ?? '').split(/[\s,]+/).filter((word) => word !== '')
    const wrong = words.filter((word) => !form.test(word))
    if (wrong.length > 0) this.#problems.push(`${name} has "${wrong.join('", "')}" in it but must be like ${example}`)
    return words
  }

  /** A secret: the variable itself, or the content of the file that `<name>_FILE` names. Undefined where neither is set. */
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

  /** As {@link secret}, but it must be set. */
  requiredSecret(name: string): string {
    const value = this.secret(name)
    const isGiven = value !== undefined || Boolean(this.#source[`${name}_FILE`])
    if (!isGiven) this.#problems.push(`${name} (or ${name}_FILE) is not set`)
    return value ?? ''
  }

  /**
   * The URL of a server, its password taken from `<passwordName>` or `<passwordName>_FILE` where the URL has none.
   * A wrong URL is never quoted: it may hold a password.
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

  /** As {@link serverUrl}, but it need not be set. `example` is only shown. */
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

  /** @throws {ConfigurationError} that names every variable that was wrong. */
  check(): void {
    if (this.#problems.length > 0) throw new ConfigurationError(this.#problems)
  }
}

/**
 * Runs `read` over the environment and checks it. On a wrong configuration it prints what is wrong and ends the process
 * with status 1, because nothing can be done without it.
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
