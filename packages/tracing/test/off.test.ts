import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../../..')

/** What a program loads before its first statement. The first import exits once all others are loaded. */
async function modulesOf(service: string): Promise<string[]> {
  const program = `import 'data:text/javascript,process.exit()'; import './services/${service}/main.ts'`
  const preload = join(import.meta.dirname, 'loaded-modules.ts')
  const args = ['--import', preload, '--input-type=module', '--eval', program]
  const { stdout } = await run(process.execPath, args, { cwd: root, maxBuffer: 64 * 1024 * 1024 })
  return stdout.trim().split('\n')
}

describe('a service that records no traces', () => {
  test.for(['ingest', 'processor', 'auth', 'api'])('loads nothing of OpenTelemetry: %s', async (service) => {
    const modules = await modulesOf(service)
    expect(modules.filter((url) => url.endsWith('/packages/tracing/start-tracing.ts'))).toHaveLength(1)
    expect(modules.filter((url) => url.includes('@opentelemetry'))).toEqual([])
  })
})
