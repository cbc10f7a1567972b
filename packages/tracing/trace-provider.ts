import { randomUUID } from 'node:crypto'
import { parseKeyPairsIntoRecord } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { TraceSettings } from './trace-settings.ts'

/** A batch has a link for each of its messages, of which a processor holds at most 2,000 (PREFETCH), half of them in one batch. */
const maxLinks = 1_000

/**
 * Creates what makes spans and sends them, every 5 s or when 512 wait. It holds at most 2,048; while the receiver is away or too slow,
 * further spans are dropped.
 */
export function createTraceProvider(service: string, settings: TraceSettings): TracerProvider {
  const exporter = new OTLPTraceExporter({ url: settings.url, headers: parseKeyPairsIntoRecord(settings.headers) })
  return new TracerProvider({
    resource: resourceFromAttributes({
      'service.namespace': 'clicktally',
      'service.name': `clicktally-${service}`,
      'service.instance.id': randomUUID(),
    }),
    sampler: samplerOf(settings),
    spanLimits: { linkCountLimit: maxLinks },
    spanProcessors: [
      new BatchSpanProcessor({ exporter, maxQueueSize: 2_048, maxExportBatchSize: 512, scheduledDelayMillis: 5_000 }),
    ],
  })
}

function samplerOf({ sampler, ratio }: TraceSettings): Sampler {
  const root = rootSamplerOf(sampler, ratio)
  return sampler.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root
}

function rootSamplerOf(sampler: TraceSettings['sampler'], ratio: number): Sampler {
  switch (sampler) {
    case 'always_on':
    case 'parentbased_always_on':
      return new AlwaysOnSampler()
    case 'always_off':
    case 'parentbased_always_off':
      return new AlwaysOffSampler()
    case 'traceidratio':
    case 'parentbased_traceidratio':
      return new TraceIdRatioBasedSampler(ratio)
    default:
      return sampler satisfies never
  }
}
