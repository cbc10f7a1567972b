import { globSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, expect, test, vi } from 'vitest'
import { childEnvironment, proxySettings, serviceSettings } from '../child-environment.ts'
import { cloneDir } from '../local-folder.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

test('a child gets what it is given and what every program needs, and nothing else', () => {
  const foreign = [
    'GITHUB_TOKEN',
    'AWS_SECRET_ACCESS_KEY',
    'PGPASSWORD',
    'NODE_OPTIONS',
    'npm_config_registry',
    'RABBITMQ_NODENAME',
  ]
  for (const name of [...foreign, ...proxySettings, ...serviceSettings, 'LC_TIME']) vi.stubEnv(name, 'secret')
  vi.stubEnv('PATH', '/usr/bin')
  const environment = childEnvironment({ GIVEN: '1', LC_TIME: undefined })
  expect(environment).toMatchObject({ PATH: '/usr/bin', GIVEN: '1' })
  expect(Object.values(environment)).not.toContain('secret')
  // What it is given goes before what the launcher has.
  expect(childEnvironment({ LOG_LEVEL: 'warn' }, serviceSettings)).toMatchObject({
    LOG_LEVEL: 'warn',
    PREFETCH: 'secret',
  })
})

test('services get every setting that they read, but for what the launcher sets', async () => {
  const read = new Set<string>()
  const recorder = new Proxy<NodeJS.ProcessEnv>({}, { get: (_, name) => void read.add(String(name)) })
  for (const path of globSync('{services/*,migrations}/config.ts', { cwd: cloneDir })) {
    const { readConfig } = await import(pathToFileURL(join(cloneDir, path)).href)
    try {
      readConfig(recorder)
    } catch {
      // A required variable is missing, as it must be.
    }
  }
  const handedOn = [...read].filter((name) => !/^(HOST|PORT|.*_URL|.*PASSWORD(_FILE)?)$/.test(name))
  expect(handedOn.sort()).toEqual([...serviceSettings].sort())
})
