import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readConfig } from '../config.ts'
import { doorValues } from '../door-settings.ts'

const script = join(import.meta.dirname, '../../infra/nginx/settings.envsh')

/** The NGINX_ variables that the script leaves to the entrypoint of nginx's image, or what it says where it stops that. */
function containerValues(settings: Record<string, string>): Record<string, string> | string {
  const { status, stdout, stderr } = spawnSync('sh', ['-ec', `. "${script}"; env -0`], {
    env: { PATH: '/usr/bin:/bin', ...settings },
    encoding: 'utf8',
  })
  if (status !== 0) return stderr
  const variables = stdout.split('\0').map((each) => /^(NGINX_\w+)=(.*)$/s.exec(each))
  return Object.fromEntries(variables.flatMap((match) => (match ? [[match[1] as string, match[2] as string]] : [])))
}

describe('the settings of nginx', () => {
  test.each([
    {},
    { CLICKTALLY_HOSTS: '', CLICKTALLY_REQUESTS_AT_ONCE: '' },
    { CLICKTALLY_HOSTS: 'counts.example.org', CLICKTALLY_TRUSTED_PROXIES: '192.0.2.7' },
    { CLICKTALLY_HOSTS: 'a.example  *.example.com', CLICKTALLY_TRUSTED_PROXIES: '10.0.0.0/8 2001:db8::/32' },
    {
      CLICKTALLY_REQUESTS_PER_SECOND: '1',
      CLICKTALLY_REQUESTS_AT_ONCE: '2',
      CLICKTALLY_BATCHES_AT_ONCE: '3',
      CLICKTALLY_READS_AT_ONCE: '65535',
    },
  ])('mean the same in a container as without: %o', (settings) => {
    const local = doorValues(readConfig(settings))
    const inContainer = containerValues(settings)
    const tidy = (text = '') => text.split(/\s+/).filter(Boolean)
    expect(typeof inContainer).toBe('object')
    const { NGINX_HOSTS, ...others } = inContainer as Record<string, string>
    // The other containers know this one as `nginx`.
    expect(tidy(NGINX_HOSTS)).toEqual(['nginx', ...tidy(local.NGINX_HOSTS)])
    expect(others).toEqual({ ...local, NGINX_HOSTS: undefined })
  })

  test.each([
    ['CLICKTALLY_HOSTS', 'a.example; return 200'],
    ['CLICKTALLY_HOSTS', '$host'],
    ['CLICKTALLY_HOSTS', '~.*'],
    ['CLICKTALLY_TRUSTED_PROXIES', '10.0.0.0/8;'],
    ['CLICKTALLY_TRUSTED_PROXIES', '`id`'],
    ['CLICKTALLY_REQUESTS_PER_SECOND', '0'],
    ['CLICKTALLY_REQUESTS_PER_SECOND', '1000001'],
    ['CLICKTALLY_REQUESTS_AT_ONCE', '-1'],
    ['CLICKTALLY_BATCHES_AT_ONCE', '65536'],
    ['CLICKTALLY_READS_AT_ONCE', '1e3'],
  ])('that are wrong stop the start, and are named: %s is %j', (name, value) => {
    expect(containerValues({ [name]: value })).toContain(name)
    expect(() => readConfig({ [name]: value })).toThrow(name)
  })
})
