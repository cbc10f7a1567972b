import { ConfigurationError, Environment } from '@clicktally/config/environment.ts'
import { describe, expect, test } from 'vitest'
import { readTraceparentUse, readTraceSettings } from '../trace-settings.ts'

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }

function read(source: Record<string, string>) {
  const env = new Environment(source)
  const settings = readTraceSettings(env)
  const use = readTraceparentUse(env)
  env.check()
  return { settings, use }
}

describe('settings of traces', () => {
  test('are none without an endpoint', () => {
    expect(read({ OTEL_TRACES_SAMPLER: 'always_on' })).toEqual({ settings: undefined, use: 'link' })
  })

  test.for(['http://collector:4318', 'http://collector:4318/', 'https://example.org/otlp'])(
    'lead to the path of traces below the endpoint %s',
    (url) => {
      const { settings } = read({ OTEL_EXPORTER_OTLP_ENDPOINT: url })
      expect(settings?.url).toBe(`${url.replace(/\/$/, '')}/v1/traces`)
    },
  )

  test('record everything by default, and the part that is asked for', () => {
    expect(read(endpoint).settings).toMatchObject({ sampler: 'parentbased_always_on', ratio: 1 })
    const sampling = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '.01' }
    expect(read({ ...endpoint, ...sampling }).settings).toMatchObject({ sampler: 'traceidratio', ratio: 0.01 })
  })

  test.for([
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' },
    { OTEL_TRACES_SAMPLER: 'sometimes' },
    { OTEL_TRACES_SAMPLER_ARG: '1.5' },
    { OTEL_TRACES_SAMPLER_ARG: '-1' },
    { OTEL_TRACES_SAMPLER_ARG: 'a tenth' },
    { CLICKTALLY_TRACEPARENT: 'trust' },
  ])('refuse %j', (wrong) => {
    expect(() => read({ ...endpoint, ...wrong })).toThrow(ConfigurationError)
    expect(() => read({ ...endpoint, ...wrong })).toThrow(Object.keys(wrong)[0])
  })
})
