import type { TraceSettings } from './trace-settings.ts'
import type { Tracing } from './tracing.ts'

/**
 * Starts the recording of traces. OpenTelemetry is loaded only here, and so only if it is used.
 *
 * @param service as in the log: `ingest`
 * @param settings undefined: nothing is recorded, and the result is undefined
 */
export async function startTracing(service: string, settings: TraceSettings | undefined): Promise<Tracing | undefined> {
  if (settings === undefined) return undefined
  const { Tracing } = await import('./tracing.ts')
  return new Tracing(service, settings)
}
