import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import openapiTS, { astToString } from 'openapi-typescript'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { openApiDocument } from '../openapi/openapi-document.ts'
import { createApi, keys } from './api-under-test.ts'

const types = astToString(await openapiTS(JSON.stringify(await openApiDocument())))

/** A program of a user of the generated types. */
const program = `
import createClient from 'openapi-fetch'
import type { components, paths } from './generated.ts'

export function connect(baseUrl: string, key: string) {
  const clicktally = createClient<paths>({ baseUrl, headers: { authorization: \`Bearer \${key}\` } })
  return {
    async clicksOf(target: string): Promise<number> {
      const { data, error } = await clicktally.GET('/v1/counts', { params: { query: { target, from: '2026-03-01' } } })
      if (error !== undefined) throw new Error(error.code)
      return data.total + data.bots
    },
    async days(): Promise<[start: string, visitors: number | undefined][]> {
      const query = { interval: 'day', visitors: true, from: '2026-03-01', to: '2026-03-03' } as const
      const { data } = await clicktally.GET('/v1/counts/series', { params: { query } })
      return (data?.points ?? []).map(({ start, visitors }) => [start, visitors])
    },
    async send(event: components['schemas']['ClickEvent']): Promise<string | undefined> {
      const { data } = await clicktally.POST('/v1/events', { body: event })
      return data?.id
    },
    async newKey(): Promise<string | undefined> {
      const { data } = await clicktally.POST('/v1/keys', { body: { role: 'write', origins: ['https://shop.example'] } })
      return data?.text
    },
  }
}
`

/** Type-checks files that exist only in memory, beside this one, so that they can import packages. */
function typeErrors(files: Record<string, string>): string[] {
  const inMemory = new Map(Object.entries(files).map(([name, text]) => [join(import.meta.dirname, name), text]))
  const options: ts.CompilerOptions = {
    ...{ strict: true, noEmit: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
    ...{ target: ts.ScriptTarget.ESNext, lib: ['lib.esnext.d.ts', 'lib.dom.d.ts'], types: [] },
    ...{ module: ts.ModuleKind.NodeNext, allowImportingTsExtensions: true },
  }
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile } = host
  host.fileExists = (path) => inMemory.has(path) || fileExists(path)
  host.readFile = (path) => inMemory.get(path) ?? readFile(path)
  host.getSourceFile = (path, languageOptions) => {
    const text = host.readFile(path)
    return text === undefined ? undefined : ts.createSourceFile(path, text, languageOptions)
  }
  return ts
    .getPreEmitDiagnostics(ts.createProgram([...inMemory.keys()], options, host))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}

test('a program with a client whose types are generated from the document compiles', () => {
  expect(typeErrors({ 'generated.ts': types, 'program.ts': program })).toEqual([])
  // Check that the types are not `any`.
  const wrong = program.replace("interval: 'day'", "interval: 'fortnight'").replace('data.total', 'data.clicks')
  expect(typeErrors({ 'generated.ts': types, 'program.ts': wrong })).toEqual([
    expect.stringContaining("Property 'clicks' does not exist"),
    expect.stringContaining(`Type '"fortnight"' is not assignable`),
  ])
})

test('this program reads counts', async () => {
  const { app, count } = await createApi()
  await count({ minute: '2026-03-01T10:00Z', total: 3, bots: 1, visitors: ['ann', 'bob'] })
  const baseUrl = await app.listen({ host: '127.0.0.1', port: 0 })
  const code = stripTypeScriptTypes(program).replace("'openapi-fetch'", `'${import.meta.resolve('openapi-fetch')}'`)
  const { connect } = await import(`data:text/javascript,${encodeURIComponent(code)}`)
  const clicktally = connect(baseUrl, keys.read.text)
  expect(await clicktally.clicksOf('button')).toBe(4)
  expect(await clicktally.days()).toEqual([
    ['2026-03-01T00:00:00.000Z', 2],
    ['2026-03-02T00:00:00.000Z', 0],
  ])
  await expect(connect(baseUrl, keys.write.text).clicksOf('button')).rejects.toThrow('right_missing')
})
