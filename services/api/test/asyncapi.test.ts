import { clickSchema } from '@clicktally/event/click.ts'
import { eventFields } from '@clicktally/event/event-fields.ts'
import { timeOfUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { encodeClick } from '@clicktally/message/clicks-message.ts'
import { encodeShort } from '@clicktally/message/short-line.ts'
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
        { readonly payload: { readonly $ref?: string }; readonly examples?: { readonly payload: unknown }[] }
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
      if (name === 'clicks') continue
      const schema = schemas[payload.$ref?.split('/').at(-1) ?? '']
      expect(schema, name).toBeDefined()
      for (const example of examples ?? []) expect(Schema.Check(schema as object, example.payload), name).toBe(true)
    }
    expect(schemas.Click).toEqual(JSON.parse(JSON.stringify(clickSchema(eventFields))))
  })

  test('describes the lines of a message as they are encoded', () => {
    const click = {
      id: '019aa3f0-5c00-7abc-8def-0123456789ab',
      projectId: 1,
      target: 't',
      requestId: 'r',
      bot: true,
    } as const
    const lines = [1_763_700_000_000, timeOfUuidV7(click.id)].map((timeMs) => ({
      ...click,
      occurredAtMs: timeMs,
      receivedAtMs: timeMs,
    }))
    const { Click, ShortClick } = document.components.schemas
    for (const line of lines) {
      expect(Schema.Check(Click as object, JSON.parse(encodeClick(line)))).toBe(true)
      expect(Schema.Check(ShortClick as object, JSON.parse(encodeShort(line)))).toBe(true)
      expect(Schema.Check(Click as object, JSON.parse(encodeShort(line)))).toBe(false)
    }
  })

  test('is served', async () => {
    const { app } = await createApi()
    const answer = await app.inject('/asyncapi.json')
    expect([answer.statusCode, answer.json()]).toEqual([200, document])
  })
})
