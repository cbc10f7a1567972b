import { ConfigurationError } from '@clicktally/config/environment.ts'
import { CliError } from './cli-error.ts'
import { EndedInContainer } from './system/compose.ts'

/** Returns the message and the exit code for an error. */
export function explain(error: unknown): { message: string; exitCode: number } {
  if (error instanceof CliError) return { message: error.message, exitCode: error.exitCode }
  if (error instanceof ConfigurationError) return { message: error.message, exitCode: 2 }
  if (error instanceof EndedInContainer) return { message: '', exitCode: error.exitCode }
  // A bug: show where it is.
  return { message: error instanceof Error ? (error.stack ?? error.message) : String(error), exitCode: 1 }
}
