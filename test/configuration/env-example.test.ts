import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loginRoles } from '@clicktally/system/accounts.ts'
import { parts, serviceNames } from '@clicktally/system/parts.ts'
import { describe, expect, test } from 'vitest'
import { loadConfig, namesReadBy, root } from './config-files.ts'

/** Except those of the benchmark's peers, which only the benchmark sets. */
const configs = globSync('**/config.ts', {
  cwd: root,
  exclude: (path) => /(^|\/)(node_modules|\.local|\.git|bench)$/.test(path),
})

/** The names that .env.example gives, each on a line of its own: `# NAME=default`. */
function namesGiven(): string[] {
  const text = readFileSync(join(root, '.env.example'), 'utf8')
  return [...text.matchAll(/^# ?([A-Z][A-Z0-9_]*)=/gm)].map(([, name]) => name ?? '')
}

describe('.env.example', () => {
  test('gives each variable that a program reads, and none that no program reads', async () => {
    expect(configs.map((path) => path.replaceAll('\\', '/')).sort()).toEqual([
      'cli/config.ts',
      'local/config.ts',
      'migrations/config.ts',
      ...serviceNames.map((name) => `${parts[name].folder}/config.ts`).sort(),
      'tools/demo/config.ts',
      'tools/testing/config.ts',
    ])
    const read = new Set<string>()
    for (const config of configs) for (const name of await namesReadBy(config)) read.add(name)
    expect([...new Set(namesGiven())].sort()).toEqual([...read].sort())
  })

  test('gives each default as it is', async () => {
    const text = readFileSync(join(root, '.env.example'), 'utf8')
    // The default of a URL differs by program, and is described in words.
    const given = [...text.matchAll(/^# ?([A-Z][A-Z0-9_]*)=(.+)$/gm)].filter(([, name]) => !name?.endsWith('_URL'))
    const values = Object.fromEntries(given.map(([, name, value]) => [name, value]))
    const required = Object.fromEntries(loginRoles.map(({ password }) => [password.variable, 'p']))
    for (const config of configs) {
      const { readConfig } = await loadConfig(config)
      expect(readConfig({ ...required, ...values }), config).toEqual(readConfig(required))
    }
  })

  test('sets nothing by itself: copied as it is, every default stays', () => {
    const text = readFileSync(join(root, '.env.example'), 'utf8')
    expect(text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([])
  })
})
