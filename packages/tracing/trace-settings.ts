import type { Environment } from '@clicktally/config/environment.ts'

/** Names and meaning: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ */
const samplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const

export interface TraceSettings {
  /** Where spans are posted, as OTLP in JSON: `http://127.0.0.1:4318/v1/traces`. */
  readonly url: string
  /** More headers of these requests, such as a token: `name=value,name=value`, with URL encoding. */
  readonly headers: string
  readonly sampler: (typeof samplers)[number]
  /** The part of traces that a sampler by ratio records, 0 to 1. */
  readonly ratio: number
}

/** Reads OpenTelemetry's variables. @returns undefined if no endpoint is set: nothing is traced then */
export function readTraceSettings(env: Environment): TraceSettings | undefined {
  const sampling = {
    headers: env.optionalText('OTEL_EXPORTER_OTLP_HEADERS') ?? '',
    sampler: env.choice('OTEL_TRACES_SAMPLER', 'parentbased_always_on', samplers),
    ratio: env.parsed('OTEL_TRACES_SAMPLER_ARG', 1, ratioOf, 'a number from 0 to 1'),
  }
  const name = 'OTEL_EXPORTER_OTLP_ENDPOINT'
  if (env.optionalText(name) === undefined) return undefined
  const endpoint = env.serverUrl(name, 'http://127.0.0.1:4318', ['http:', 'https:'])
  return { url: `${endpoint.replace(/\/+$/, '')}/v1/traces`, ...sampling }
}

/**
 * Reads CLICKTALLY_TRACEPARENT: what a request's `traceparent` is for.
 *
 * - `link`: each request begins a trace of its own, which links to the client's. The client decides nothing.
 * - `continue`: a request is a part of the client's trace, which also decides whether it is recorded. For clients that are trusted.
 */
export function readTraceparentUse(env: Environment): 'link' | 'continue' {
  return env.choice('CLICKTALLY_TRACEPARENT', 'link', ['link', 'continue'])
}

function ratioOf(text: string): number | undefined {
  const ratio = Number(text)
  return /^\d*\.?\d+$/.test(text) && ratio <= 1 ? ratio : undefined
}
