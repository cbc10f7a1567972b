import { afterEach, expect, test, vi } from 'vitest'
import { childEnvironment, proxySettings } from '../services/child-environment.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

test('a child process gets its given variables and those that every program needs, and no others', () => {
  const foreign = [
    'GITHUB_TOKEN',
    'AWS_SECRET_ACCESS_KEY',
    'PGPASSWORD',
    'NODE_OPTIONS',
    'npm_config_registry',
    'RABBITMQ_NODENAME',
  ]
  for (const name of [...foreign, ...proxySettings, 'PREFETCH', 'LOG_LEVEL', 'LC_TIME']) vi.stubEnv(name, 'secret')
  vi.stubEnv('PATH', '/usr/bin')
  const environment = childEnvironment({ GIVEN: '1', LC_TIME: undefined })
  expect(environment).toMatchObject({ PATH: '/usr/bin', GIVEN: '1' })
  expect(Object.values(environment)).not.toContain('secret')
  // Given variables replace the launcher's.
  expect(childEnvironment({ LOG_LEVEL: 'warn' }, ['LOG_LEVEL', 'PREFETCH'])).toMatchObject({
    LOG_LEVEL: 'warn',
    PREFETCH: 'secret',
  })
})
