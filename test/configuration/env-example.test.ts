import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
/** Without those of the benchmark's peers, which nobody sets but the benchmark. */
const configs = globSync('**/config.ts', {
  cwd: root,
  exclude: (path) => /(^|\/)(node_modules|\.local|\.git|bench)$/.test(path),
})

async function load(config: string): Promise<{ readConfig: (source: NodeJS.ProcessEnv) => unknown }> {
  return await import(pathToFileURL(join(root, config)).href)
}

/** The names that a program's readConfig asks for. Wrong or missing ones do not stop it: it reads all, then complains. */
async function namesReadBy(config: string): Promise<Set<string>> {
  const { readConfig } = await load(config)
  const names = new Set<string>()
  const recorder = new Proxy<NodeJS.ProcessEnv>(
    {},
    {
      get(_target, name) {
        names.add(String(name))
        return undefined
      },
    },
  )
  try {
    readConfig(recorder)
  } catch {
    // A required variable is missing, as it must be.
  }
  return names
}

/** The names that .env.example gives, each on a line of its own: `# NAME=default`. */
function namesGiven(): string[] {
  const text = readFileSync(join(root, '.env.example'), 'utf8')
  return [...text.matchAll(/^# ?([A-Z][A-Z0-9_]*)=/gm)].map(([, name]) => name ?? '')
}

describe('.env.example', () => {
  test('gives each variable that a program reads, and none that no program reads', async () => {
    expect(configs.map((path) => path.replaceAll('\\', '/')).sort()).toEqual([
      'cli/config.ts',
      'demo/config.ts',
      'local/config.ts',
      'migrations/config.ts',
      'packages/testing/config.ts',
      'services/api/config.ts',
      'services/ingest/config.ts',
      'services/processor/config.ts',
    ])
    const read = new Set<string>()
    for (const config of configs) for (const name of await namesReadBy(config)) read.add(name)
    expect([...new Set(namesGiven())].sort()).toEqual([...read].sort())
  })

  test('gives each default as it is', async () => {
    const text = readFileSync(join(root, '.env.example'), 'utf8')
    // A URL has another default for each program, which is told in words.
    const given = [...text.matchAll(/^# ?([A-Z][A-Z0-9_]*)=(.+)$/gm)].filter(([, name]) => !name?.endsWith('_URL'))
    const values = Object.fromEntries(given.map(([, name, value]) => [name, value]))
    const required = {
      PROCESSOR_DATABASE_PASSWORD: 'p',
      API_DATABASE_PASSWORD: 'p',
      OPERATOR_DATABASE_PASSWORD: 'p',
    }
    for (const config of configs) {
      const { readConfig } = await load(config)
      expect(readConfig({ ...required, ...values }), config).toEqual(readConfig(required))
    }
  })

  test('sets nothing by itself: copied as it is, every default stays', () => {
    const text = readFileSync(join(root, '.env.example'), 'utf8')
    expect(text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([])
  })
})
