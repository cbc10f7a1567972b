/** 1: a problem was found, or the command failed. 2: the command line is invalid. */
export type FailureExitCode = 1 | 2

/** An error that the user can fix: shown without a stack trace. */
export class CliError extends Error {
  readonly exitCode: FailureExitCode

  constructor(message: string, exitCode: FailureExitCode = 1, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CliError'
    this.exitCode = exitCode
  }
}

/** Makes an error for an invalid command line. */
export function usageError(message: string): CliError {
  return new CliError(message, 2)
}
