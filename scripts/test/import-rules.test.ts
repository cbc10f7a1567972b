import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { importViolations } from '../import-rules.ts'

type Tree = Readonly<Record<string, string>>

const manifest = (name: string, dependencies: Readonly<Record<string, string>> = {}) =>
  JSON.stringify({ name: `@clicktally/${name}`, dependencies, devDependencies: { vitest: '1' } })

/** A tree that follows the rules. */
const good: Tree = {
  'package.json': manifest('root'),
  'packages/event/package.json': manifest('event', { typebox: '1' }),
  'packages/event/click.ts': "import { Type } from 'typebox'\nimport { Compile } from 'typebox/compile'\n",
  'packages/event/test/click.test.ts':
    "import 'node:fs'\nimport { test } from 'vitest'\nimport '@clicktally/testing/broker.ts'\n",
  'packages/broker/package.json': manifest('broker', { '@clicktally/event': '*', amqplib: '1' }),
  'packages/broker/link.ts':
    "import 'node:timers/promises'\nimport type {\n  Model,\n} from 'amqplib'\nimport '@clicktally/event/click.ts'\n",
  'services/api/package.json': manifest('api', { '@clicktally/broker': '*' }),
  'services/api/app.ts': "import { routes } from './routes/routes.ts'\nimport '@clicktally/broker/link.ts'\n",
  'services/api/routes/routes.ts': 'export const routes = []\n',
  'services/ingest/package.json': manifest('ingest'),
  'services/ingest/app.ts': 'export {}\n',
  'clients/javascript/package.json': manifest('client'),
  'clients/javascript/index.ts': "export * from './sender.ts'\n",
  'clients/javascript/sender.ts': 'export {}\n',
  'tools/testing/package.json': manifest('testing', { '@clicktally/broker': '*' }),
  'tools/testing/broker.ts': "import { type Model } from 'amqplib'\nimport '@clicktally/broker/link.ts'\n",
}

function violationsOf(changes: Tree): string[] {
  const root = mkdtempSync(join(tmpdir(), 'clicktally-imports-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  for (const [file, text] of Object.entries({ ...good, ...changes })) {
    mkdirSync(join(root, dirname(file)), { recursive: true })
    writeFileSync(join(root, file), text)
  }
  return importViolations(root)
}

describe('the rules on imports', () => {
  test('accept a tree that follows them', () => {
    expect(violationsOf({})).toEqual([])
  })

  const onlyPackages = 'a package imports only packages'
  const noService = 'no other code imports a service'
  const noTests = 'production code imports no tests or tools'
  const onlySafe = 'what a browser may load imports only what a browser may load'

  test.each<[what: string, file: string, text: string, to: string, rule: string]>([
    [
      'a package imports a service',
      'packages/broker/a.ts',
      "import '@clicktally/api/app.ts'",
      'services/api/app.ts',
      onlyPackages,
    ],
    [
      'a package imports a type of a service',
      'packages/broker/a.ts',
      "import type { App } from '@clicktally/api/app.ts'",
      'services/api/app.ts',
      onlyPackages,
    ],
    [
      'a package imports a service by its path',
      'packages/broker/a.ts',
      "export * from '../../services/api/app.ts'",
      'services/api/app.ts',
      onlyPackages,
    ],
    [
      'a client imports a package',
      'clients/javascript/a.ts',
      "import '@clicktally/event/click.ts'",
      'packages/event/click.ts',
      'a client imports only its own files',
    ],
    [
      'a client imports Node',
      'clients/javascript/a.ts',
      "import 'node:fs'",
      'node:fs',
      'a client imports only its own files',
    ],
    [
      'a package imports the command line',
      'packages/broker/a.ts',
      "import '../../cli/main.ts'",
      'cli/main.ts',
      onlyPackages,
    ],
    [
      'a service imports another',
      'services/api/a.ts',
      "import { type App } from '@clicktally/ingest/app.ts'",
      'services/ingest/app.ts',
      noService,
    ],
    [
      'the local run imports a service',
      'local/a.ts',
      "const app = await import('@clicktally/api/app.ts')",
      'services/api/app.ts',
      noService,
    ],
    [
      'a service imports a test tool',
      'services/api/a.ts',
      "import type { Broker } from '@clicktally/testing/broker.ts'",
      'tools/testing/broker.ts',
      noTests,
    ],
    [
      'a package imports a test',
      'packages/broker/a.ts',
      "import '@clicktally/event/test/click.test.ts'",
      'packages/event/test/click.test.ts',
      noTests,
    ],
    [
      'migrations import a test tool',
      'migrations/a.ts',
      "import '../tools/testing/broker.ts'",
      'tools/testing/broker.ts',
      noTests,
    ],
    [
      'production code imports a development dependency',
      'services/api/a.ts',
      "import { test } from 'vitest'",
      'npm:vitest',
      'services/api/package.json does not list it as a dependency',
    ],
    [
      'browser-safe code imports a module of Node',
      'packages/event/a.ts',
      "import { join } from 'node:path'",
      'node:path',
      onlySafe,
    ],
    [
      'browser-safe code imports a package that is not',
      'packages/event/a.ts',
      "import type {\n  Link,\n} from '@clicktally/broker/link.ts'",
      'packages/broker/link.ts',
      onlySafe,
    ],
    [
      'browser-safe code imports an npm package that is not',
      'packages/event/a.ts',
      "import pg from 'pg'",
      'npm:pg',
      onlySafe,
    ],
  ])('refuse a tree in which %s', (_what, file, text, to, rule) => {
    expect(violationsOf({ [file]: `${text}\n` })).toEqual([`${file} imports ${to}: ${rule}`])
  })

  test('refuse an import cycle, also of types only', () => {
    expect(
      violationsOf({
        'services/api/a.ts': "import './b.ts'\n",
        'services/api/b.ts': "import type { C } from './c.ts'\n",
        'services/api/c.ts': "export { a } from './a.ts'\n",
      }),
    ).toEqual(['import cycle: services/api/a.ts → services/api/b.ts → services/api/c.ts → services/api/a.ts'])
  })
})
