import type { Output } from '@clicktally/terminal/progress.ts'
import type { CliConfig } from './config.ts'

/** What a command may use of the process that it runs in. main.ts makes it. */
export interface CliContext {
  readonly config: CliConfig
  /** What was given on the command line. */
  readonly args: readonly string[]
  /** One line of what was asked for, on standard output. */
  print(line: string): void
  /** Resolves when the reader of standard output has taken what was printed: for those who print without end. */
  printed(): Promise<void>
  /** Lines and bars for people, on standard error: standard output is for what was asked for. */
  readonly notices: Output
  /** Asks the person at the terminal, who answers with a line. Undefined where there is no terminal. */
  readonly ask: ((question: string) => Promise<string>) | undefined
  /**
   * Ctrl-C and SIGTERM abort this signal from now on, with their name as the reason, instead of ending the process: the
   * caller brings what it has in hand to an end. A second one ends the process all the same.
   */
  takeInterruption(): AbortSignal
  /** The process's exit code when the command comes to its end. 1: a difference, a loss, a failure was found. 130: Ctrl-C. */
  exitCode: 0 | 1 | 130
}
