import type { Environment } from '@clicktally/config/environment.ts'
import { type LogLevel, logLevels } from '@clicktally/telemetry/logger.ts'

/** What every service with an HTTP side is told: where to listen, how much to log. */
export interface HttpSettings {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly logLevel: LogLevel
}

/** Reads HOST, PORT and LOG_LEVEL. */
export function readHttpSettings(env: Environment): HttpSettings {
  return {
    host: env.text('HOST', '127.0.0.1'),
    port: env.integer('PORT', 3000, 0, 65_535),
    logLevel: env.choice('LOG_LEVEL', 'info', logLevels),
  }
}
