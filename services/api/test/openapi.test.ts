import { createConfig, lintFromString } from '@redocly/openapi-core'
import Schema from 'typebox/schema'
import { describe, expect, test } from 'vitest'
import { openApiDocument } from '../openapi/openapi-document.ts'
import { type Content, type OpenApiDocument, strictSchema } from './openapi-contract.ts'

const document = (await openApiDocument()) as OpenApiDocument
const operations = Object.values(document.paths).flatMap((its) => Object.values(its))

describe('the OpenAPI document', () => {
  test('describes each answer in words', () => {
    const answers = operations.flatMap(({ responses }) => Object.values(responses))
    expect(answers.length).toBeGreaterThan(0)
    expect(answers.filter(({ description }) => /^$|Default Response/.test(description))).toEqual([])
  })

  test('names the schemas that clients use', () => {
    expect(Object.keys(document.components.schemas)).toEqual(
      expect.arrayContaining(['ClickEvent', 'Counts', 'Meta', 'Problem', 'Receipt', 'Series', 'Top']),
    )
  })

  test('has references to existing schemas only', () => {
    const names = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name)
    expect(names.length).toBeGreaterThan(0)
    expect(names.filter((name) => !(String(name) in document.components.schemas))).toEqual([])
  })

  test('has valid examples for what clients send and get', () => {
    const named = Object.entries(document.components.schemas).flatMap(([name, schema]) =>
      ((schema as { examples?: unknown[] }).examples ?? []).map((example) => ({ name, schema, example })),
    )
    const ofBodies = operations
      .flatMap(({ requestBody, responses }) => [requestBody, ...Object.values(responses)])
      .flatMap((body) => Object.values(body?.content ?? {}))
      .flatMap(({ schema, example }) =>
        example === undefined ? [] : { name: schema.$ref?.split('/').at(-1) ?? 'NDJSON', schema, example },
      )
    const withExamples = [...named, ...ofBodies]
    for (const { name, schema, example } of withExamples) {
      const [valid, errors] = Schema.Errors(strictSchema(document, schema) as object, example)
      expect([name, valid, valid ? [] : errors]).toEqual([name, true, []])
    }
    expect(withExamples.length).toBeGreaterThan(20)
  })

  test('has an example of each body that clients send or get', () => {
    const bodies = operations.flatMap(({ operationId, requestBody, responses }) =>
      Object.entries({ sent: requestBody, ...responses }).flatMap(([name, body]) =>
        Object.entries(body?.content ?? {}).map(([type, content]) => ({
          name: `${operationId} ${name} ${type}`,
          content,
        })),
      ),
    )
    const hasExample = ({ schema, example }: Content) => {
      const named = document.components.schemas[schema.$ref?.split('/').at(-1) ?? ''] as { examples?: unknown[] }
      return example !== undefined || (named?.examples ?? []).length > 0
    }
    expect(bodies.length).toBeGreaterThan(operations.length)
    expect(bodies.filter(({ content }) => !hasExample(content)).map(({ name }) => name)).toEqual([])
  })

  test('passes the linter', async () => {
    const config = await createConfig({
      extends: ['recommended-strict'],
      rules: {
        'operation-operationId': 'error',
        'operation-operationId-unique': 'error',
        'operation-tag-defined': 'error',
        'parameter-description': 'error',
        'no-invalid-media-type-examples': 'error',
        'no-invalid-schema-examples': 'error',
        'no-invalid-parameter-examples': 'error',
      },
    })
    const lint = async (source: object) => {
      const problems = await lintFromString({ source: JSON.stringify(source), absoluteRef: 'openapi.json', config })
      return problems.map(({ ruleId, location }) => `${ruleId} ${location[0]?.pointer}`)
    }
    // A link answers with a redirect.
    expect(await lint(document)).toEqual(['operation-2xx-response #/paths/~1l~1{slug}/get/responses'])
    expect(await lint({ ...document, security: undefined })).toContain('security-defined #/paths/~1v1~1counts/get')
  })
})
