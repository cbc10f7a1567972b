import { type Logger, pino } from 'pino'

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/**
 * Logs JSON lines to standard output. Messages are constant, with data in the object. Never log a click's content or a key.
 *
 * @param tracing adds the trace of what is being done to each line
 */
export function createLogger(service: string, level: LogLevel, tracing?: { logFields(): object | undefined }): Logger {
  return pino({
    level,
    base: { service, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    ...(tracing !== undefined && { mixin: () => tracing.logFields() ?? {} }),
  })
}
