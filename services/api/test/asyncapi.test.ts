import { clickSchema } from '@clicktally/event/click.ts'
import { eventFields } from '@clicktally/event/event-fields.ts'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import Schema from 'typebox/schema'
import { describe, expect, test } from 'vitest'
import { asyncApiDocument } from '../openapi/asyncapi-document.ts'
import { createApi } from './api-under-test.ts'

interface Document {
  readonly asyncapi: string
  readonly operations: Readonly<Record<string, object>>
  readonly components: {
    readonly messages: Readonly<
      Record<
        string,
        { readonly payload: { readonly $ref: string }; readonly examples?: { readonly payload: unknown }[] }
      >
    >
    readonly schemas: Readonly<Record<string, object>>
  }
}

const document = asyncApiDocument('1.0.0') as Document

async function lint(source: object): Promise<string[]> {
  const config = await createConfig({ extends: ['spec'], rules: { 'no-unresolved-refs': 'error', struct: 'error' } })
  const problems = await lintFromString({ source: JSON.stringify(source), absoluteRef: 'asyncapi.json', config })
  return problems.map(({ ruleId, location }) => `${ruleId} ${location[0]?.pointer}`)
}

describe('the AsyncAPI document', () => {
  test('passes a linter, which finds what is wrong with others', async () => {
    expect(await lint(document)).toEqual([])
    const { watchClicks, ...others } = document.operations
    const broken = { ...others, watchClicks: { ...watchClicks, action: 'shout', channel: { $ref: '#/channels/none' } } }
    expect((await lint({ ...document, operations: broken })).length).toBeGreaterThan(1)
  })

  test('describes the events with valid examples', () => {
    const { messages, schemas } = document.components
    expect(Object.keys(messages).sort()).toEqual(['click', 'clicks', 'gap', 'heartbeat'])
    for (const [name, { payload, examples }] of Object.entries(messages)) {
      const schema = schemas[payload.$ref.split('/').at(-1) ?? '']
      expect(schema, name).toBeDefined()
      for (const example of examples ?? []) expect(Schema.Check(schema as object, example.payload), name).toBe(true)
    }
    expect(schemas.Click).toEqual(JSON.parse(JSON.stringify(clickSchema(eventFields))))
  })

  test('is served', async () => {
    const { app } = await createApi()
    const answer = await app.inject('/asyncapi.json')
    expect([answer.statusCode, answer.json()]).toEqual([200, document])
  })
})
