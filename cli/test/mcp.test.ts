import { join } from 'node:path'
import { createApi, keys } from '@clicktally/api/test/api-under-test.ts'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { describe, expect, onTestFinished, test } from 'vitest'
import { runCli } from './cli-under-test.ts'

/** A client of the protocol's own library, connected to the command, over the service api with these counters. */
async function connect() {
  const { app, count } = await createApi()
  await count(
    { target: 'signup', minute: '2026-03-01T10:00Z', total: 12, bots: 3, visitors: ['ann', 'bob'] },
    { target: 'a,b', minute: '2026-03-02T23:30Z', total: 5 },
  )
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const client = new Client({ name: 'test', version: '1.0.0' })
  onTestFinished(() => client.close())
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [join(import.meta.dirname, '../main.ts'), 'mcp'],
      env: { PATH: process.env.PATH ?? '', CLICKTALLY_URL: url, CLICKTALLY_KEY: keys.read.text },
    }),
  )
  const ask = async (name: string, values: Record<string, unknown> = {}) => {
    const { isError = false, content, structuredContent } = await client.callTool({ name, arguments: values })
    const [{ text = '' } = {}] = content as { text?: string }[]
    return { isError, text, answer: structuredContent as Record<string, never> | undefined }
  }
  return { client, ask }
}

describe('mcp', () => {
  test('lists the questions of the API, with their parameters', async () => {
    const { client } = await connect()
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(['count', 'series', 'top', 'by', 'dimensions', 'receipt', 'health'])
    expect(tools.find(({ name }) => name === 'by')?.inputSchema).toMatchObject({
      properties: { dimension: {}, filter: { type: 'array' }, from: {} },
      required: ['dimension'],
    })
    expect(tools.every(({ inputSchema }) => !('project' in (inputSchema.properties ?? {})))).toBe(true)
    expect(tools.every(({ annotations }) => annotations?.readOnlyHint)).toBe(true)
  })

  test('answers each of them, as JSON and as text', async () => {
    const { ask } = await connect()
    const march = { from: '2026-03-01', to: '2026-03-03' }
    const counts = await ask('count', { ...march, target: 'signup' })
    expect(counts).toMatchObject({ isError: false, answer: { total: 12, bots: 3, visitors: 2 } })
    expect(JSON.parse(counts.text)).toEqual(counts.answer)
    expect((await ask('series', { ...march, interval: 'day' })).answer?.points).toMatchObject([
      { total: 12 },
      { total: 5 },
    ])
    expect((await ask('top', { ...march, limit: 1 })).answer?.targets).toMatchObject([{ target: 'signup' }])
    // There are counters and no clicks.
    expect(
      (await ask('by', { ...march, dimension: 'country', filter: ['browser:is:Firefox', 'os:not:iOS'] })).answer,
    ).toMatchObject({
      ...{ dimension: 'country', values: [], meta: { missing: 20 } },
    })
    expect((await ask('dimensions')).answer?.dimensions).toContainEqual(expect.objectContaining({ name: 'country' }))
    expect((await ask('receipt', { id: '01a1fbf9-47c2-790c-9f4f-1b848ca0e748' })).answer?.status).toBe('not_seen')
    expect((await ask('health')).answer).toEqual({ asOf: null, lagMs: null })
  })

  test('says what is wrong with a question, so that a better one can be asked', async () => {
    const { ask } = await connect()
    expect(await ask('by', { dimension: 'planet' })).toMatchObject({
      isError: true,
      text: expect.stringContaining('There is no dimension "planet"'),
    })
    expect(await ask('series', { interval: 'fortnight' })).toMatchObject({
      isError: true,
      text: expect.stringContaining('must be minute, hour, day'),
    })
    expect(await ask('count', { project: 'other' })).toMatchObject({ isError: true })
    expect(await ask('__proto__')).toMatchObject({ isError: true, text: 'There is no tool "__proto__".' })
  })

  test.each(['secret', 'write', 'auditor', 'owner'] as const)('refuses a key of the role %s', async (role) => {
    const variables = { CLICKTALLY_URL: 'http://127.0.0.1:9', CLICKTALLY_KEY: keys[role].text }
    expect(await runCli(['mcp'], variables)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('mcp takes a read key only'),
    })
  })
})
