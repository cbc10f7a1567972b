import { ownerOperations } from '@clicktally/operations/owner-operations.ts'
import { readOperations } from '@clicktally/operations/read-operations.ts'
import { writeOperations } from '@clicktally/operations/write-operations.ts'
import { ask, jsonObject } from '@clicktally/requests/answer.ts'
import type { Static, TSchema } from 'typebox'
import { Check } from 'typebox/value'
import type { CliContext } from '../cli-context.ts'
import { findHttpAccess, type GivenAccess, type HttpAccess } from '../system/http-access.ts'
import { refusal } from './refusal.ts'

const operations = { ...ownerOperations, ...readOperations, postEvent: writeOperations.postEvent }
type Operations = typeof operations
type OperationName = keyof Operations
type Schemas<Name extends OperationName> = Operations[Name]['schema']

/** A part of the request. As in an options object of Commander, what is not given may be undefined. */
type Part<Name extends OperationName, Key extends string> =
  Schemas<Name> extends { readonly [key in Key]: infer Schema extends TSchema }
    ? { readonly [key in Key]: OrUndefined<Static<Schema>> }
    : unknown
type OrUndefined<Fields> = {
  [Key in keyof Fields]: Record<never, never> extends Pick<Fields, Key> ? Fields[Key] | undefined : Fields[Key]
}
type Request<Name extends OperationName> = Part<Name, 'params'> & Part<Name, 'querystring'> & Part<Name, 'body'>

type Responses<Name extends OperationName> = Schemas<Name>['response']
type Answer<Name extends OperationName> = Responses<Name>[keyof Responses<Name> &
  (200 | 201 | 202)] extends infer Schema extends TSchema
  ? Static<Schema>
  : undefined

/** nginx gives up after 8 s. */
const answerTimeoutMs = 15_000

/** The operations of a running system, over HTTP with a key. */
export class HttpApi {
  readonly #access: HttpAccess

  constructor(access: HttpAccess) {
    this.#access = access
  }

  /**
   * @param given the address and the key that the user names
   * @throws {CliError} if no running system or no key is found
   */
  static async find(context: CliContext, given: GivenAccess = {}): Promise<HttpApi> {
    return new HttpApi(await findHttpAccess(context, given))
  }

  /** Ends in `/`. */
  get baseUrl(): URL {
    return this.#access.baseUrl
  }

  /**
   * Sends one request, without retries: an operation that creates something must not be repeated unseen.
   *
   * @throws {CliError} if it is refused or not answered, in words for the user
   */
  async call<Name extends OperationName>(name: Name, request: Request<Name>): Promise<Answer<Name>> {
    const { method, url: path, schema } = operations[name]
    const { params, querystring, body } = request as {
      params?: Record<string, string>
      querystring?: Record<string, unknown>
      body?: object
    }
    const filled = path.slice(1).replace(/:(\w+)/g, (_, param: string) => encodeURIComponent(params?.[param] ?? ''))
    const url = new URL(filled, this.#access.baseUrl)
    for (const [key, value] of Object.entries(querystring ?? {})) {
      for (const each of Array.isArray(value) ? value : [value]) {
        if (each !== undefined) url.searchParams.append(key, String(each))
      }
    }
    const headers = {
      authorization: `Bearer ${this.#access.key}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    }
    const sent = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
    const answer = await ask(url, sent, new AbortController().signal, answerTimeoutMs)
    const expected = (schema.response as Record<number, TSchema>)[answer.status]
    if (answer.status === 204 && expected !== undefined) return undefined as Answer<Name>
    const content = jsonObject(answer)
    if (answer.status > 204 || expected === undefined || !Check(expected, content)) throw refusal(method, url, answer)
    return content as Answer<Name>
  }
}
