/** 1: something was found or did not work. 2: the command was given in a way that can't be. */
export type FailureExitCode = 1 | 2

/** What the person at the keyboard can change: shown as its message alone, without a stack. */
export class CliError extends Error {
  readonly exitCode: FailureExitCode

  constructor(message: string, exitCode: FailureExitCode = 1, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CliError'
    this.exitCode = exitCode
  }
}

/** A command that was given in a way that can't be. */
export function usageError(message: string): CliError {
  return new CliError(message, 2)
}
