import type { Output } from '@clicktally/terminal/progress.ts'
import type { CliConfig } from './config.ts'

/** What a command may use of its process. Created by main.ts. */
export interface CliContext {
  readonly config: CliConfig
  /** The command line arguments. */
  readonly args: readonly string[]
  /** Prints a line of the result to standard output. */
  print(line: string): void
  /** Resolves when standard output can take more (backpressure). */
  printed(): Promise<void>
  /** Messages and progress, on standard error, so that standard output has only the result. */
  readonly notices: Output
  /** Asks the user a question and resolves with the answer. Undefined without a terminal. */
  readonly ask: ((question: string) => Promise<string>) | undefined
  /**
   * From now on, Ctrl-C and SIGTERM abort the returned signal, with their name as the reason, instead of ending the process. The
   * caller then finishes what it has started. A second Ctrl-C or SIGTERM ends the process.
   */
  takeInterruption(): AbortSignal
  /** Exit code of the process when the command ends. 1: a difference, a loss or a failure was found. 130: Ctrl-C. */
  exitCode: 0 | 1 | 130
}
