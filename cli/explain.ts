import { ConfigurationError } from '@clicktally/config/environment.ts'
import { CliError } from './cli-error.ts'
import { EndedInContainer } from './compose.ts'

/** What is shown of an error, and the exit code that goes with it. */
export function explain(error: unknown): { message: string; exitCode: number } {
  if (error instanceof CliError) return { message: error.message, exitCode: error.exitCode }
  if (error instanceof ConfigurationError) return { message: error.message, exitCode: 2 }
  if (error instanceof EndedInContainer) return { message: '', exitCode: error.exitCode }
  // A mistake of ours: whoever is to mend it needs to know where.
  return { message: error instanceof Error ? (error.stack ?? error.message) : String(error), exitCode: 1 }
}
