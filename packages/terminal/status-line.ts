import type { WriteStream } from 'node:tty'
import cliTruncate from 'cli-truncate'
import { printable, printableLines } from './printable.ts'

export interface StatusLineOptions {
  /** The terminal whose last line shows the status; undefined if the output is not a terminal. */
  readonly terminal: WriteStream | undefined
  readonly print: (line: string) => void
  readonly status: () => string
}

const onTerminalEveryMs = 250
/** Without a terminal: intervals between lines with a changed status, and with the same. */
const elsewhereEveryMs = 5_000
const sameLineEveryMs = 60_000

/** Shows a changing status: on a terminal as its last line, otherwise as a line every few seconds, as long as it changes. */
export class StatusLine {
  readonly #options: StatusLineOptions
  readonly #timer: NodeJS.Timeout
  #shown = ''
  #shownAtMs = 0

  constructor(options: StatusLineOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#show(), options.terminal ? onTerminalEveryMs : elsewhereEveryMs)
  }

  /** Prints a permanent line. */
  print(line: string): void {
    this.#clear()
    this.#options.print(printableLines(line))
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#clear()
  }

  #show(): void {
    const { terminal, print, status } = this.#options
    const text = printable(status())
    if (text === '') return
    if (terminal === undefined) {
      const nowMs = performance.now()
      if (text === this.#shown && nowMs - this.#shownAtMs < sameLineEveryMs) return
      this.#shown = text
      this.#shownAtMs = nowMs
      print(text)
    } else {
      this.#clear()
      terminal.write(cliTruncate(text, Math.max(1, terminal.columns - 1)))
    }
  }

  #clear(): void {
    const { terminal } = this.#options
    if (terminal === undefined) return
    terminal.cursorTo(0)
    terminal.clearLine(0)
  }
}
