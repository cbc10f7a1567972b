import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from './config-files.ts'

const read = (path: string) => readFileSync(join(root, path), 'utf8')

/** The rows of all tables of a document, as their cells. */
function rowsOf(document: string): string[][] {
  return read(document)
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\| (actor|attack) /.test(line))
    .map((line) => line.split(' | '))
}

/** The titles of the tests in a file: each stands before the test's function. */
function titlesOf(path: string): string[] {
  return [...read(path).matchAll(/\(\s*(['"])((?:(?!\1).)+)\1,\s*(?:async\s*)?\(/g)].map(
    ([, , title]) => title as string,
  )
}

const named = rowsOf('docs/threat-model.md').flatMap((row) =>
  [...(row.at(-1) as string).matchAll(/`([^`]+)`: ((?:"[^"]+"(?:, )?)+)/g)].flatMap(([, path = '', titles = '']) =>
    [...titles.matchAll(/"([^"]+)"/g)].map(([, title = '']) => ({ path, title })),
  ),
)

test('the threat model names a test in each row', () => {
  const rows = rowsOf('docs/threat-model.md')
  expect(rows.length).toBeGreaterThan(20)
  for (const row of rows) expect(row.at(-1), row[1]).toMatch(/^`[^`]+\.test\.ts`: "/)
})

test.for(named)('the threat model names a test that exists: $path: $title', ({ path, title }) => {
  expect(titlesOf(path)).toContain(title)
})

test('the document of attacks names files that exist', () => {
  const paths = rowsOf('docs/attacks.md').flatMap((row) => [...(row.at(-1) ?? '').matchAll(/`([\w-]+\/[^` ]+)`/g)])
  expect(paths.length).toBeGreaterThan(20)
  expect(paths.map(([, path = '']) => path).filter((path) => !existsSync(join(root, path)))).toEqual([])
})
