import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as vrl from '@bpinternal/verel'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { root } from './config-files.ts'

const { sources, transforms, sinks } = parse(readFileSync(join(root, 'infra/vector/vector.yaml'), 'utf8')) as {
  sources: Record<string, unknown>
  transforms: Record<string, { inputs: string[]; source: string }>
  sinks: Record<string, { inputs: string[] }>
}
const program = transforms.lines?.source ?? ''

/** What becomes of a line, as Vector reads it from the container of PostgreSQL. */
function eventOf(message: string, service = 'postgres'): unknown {
  const label = { 'com.docker.compose.service': service, 'com.docker.compose.project': 'clicktally' }
  return vrl.execute(program, { message, timestamp: '2026-11-29T08:00:01Z', label }).event
}

describe('infra/vector/vector.yaml', () => {
  test('has a program that compiles without a warning', () => {
    expect(vrl.check(program)).toEqual({ errors: [], warnings: [] })
  })

  test('names only what there is', () => {
    const names = new Set([...Object.keys(sources), ...Object.keys(transforms)])
    const inputs = [...Object.values(transforms), ...Object.values(sinks)].flatMap((each) => each.inputs)
    expect(inputs.length).toBeGreaterThan(1)
    expect(inputs.filter((each) => !names.has(each))).toEqual([])
  })

  test('makes fields of the JSON lines of a service, with their own time', () => {
    const line = `{"level":"warn","time":"2026-11-29T08:00:00.123Z","service":"ingest","pid":7,"requestId":"a1","trace_id":"b2","msg":"keys are old"}`
    expect(eventOf(line, 'ingest')).toEqual({
      ...{ level: 'warn', timestamp: '2026-11-29T08:00:00.123Z', service: 'ingest', pid: 7, requestId: 'a1' },
      ...{ trace_id: 'b2', message: 'keys are old' },
    })
  })

  test('makes fields of the JSON lines of nginx about failed requests', () => {
    const line = `{"level":"error","time":"2026-11-29T08:00:00+00:00","service":"nginx","requestId":"a1","status":503,"msg":"a request failed"}`
    expect(eventOf(line, 'nginx')).toMatchObject({ service: 'nginx', status: 503, timestamp: '2026-11-29T08:00:00Z' })
  })

  test('keeps a line of plain text, under the name of its container', () => {
    for (const message of ['LOG:  checkpoint starting', '[1, 2]', '{"level":', '']) {
      const timestamp = '2026-11-29T08:00:01Z'
      expect(eventOf(message)).toEqual({ message, level: 'info', service: 'postgres', timestamp })
    }
  })
})
