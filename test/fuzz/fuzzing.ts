import type { System } from '@clicktally/local/system.ts'
import { residentMemory } from '@clicktally/processes/resident-memory.ts'
import fc from 'fast-check'
import { Pool } from 'undici'
import { type FuzzRequest, gzipBomb, requestFor } from './arbitrary-request.ts'
import { KnownIds } from './known-ids.ts'
import { type Operation, readOperations } from './openapi.ts'

export interface FuzzOptions {
  readonly system: Pick<System, 'baseUrl' | 'ownerKey' | 'services'>
  /** In all, over all operations in turn. */
  readonly requests: number
  readonly seed: number
  readonly onProgress?: (requests: number) => void
  readonly signal?: AbortSignal
}

export interface FuzzResult {
  /** By operation: how many answers had each status. */
  readonly statuses: ReadonlyMap<string, ReadonlyMap<number, number>>
  /** Answers that no request may get, each with the request. At most 20 are kept. */
  readonly faults: readonly string[]
  readonly faultCount: number
  /** Resident memory of each service after a tenth of the requests and at the end, in megabytes. */
  readonly memory: readonly { readonly service: string; readonly earlyMb: number; readonly lateMb: number }[]
  /** Services that ended meanwhile. */
  readonly restarted: readonly string[]
}

const inFlight = 16
const answerWithinMs = 30_000
/** Requests for an operation before the next one's turn: few, so that deletions don't remove all there is. */
const batch = 50

/** Sends generated requests for every operation of the OpenAPI document through nginx, and checks each answer. */
export async function fuzz({
  system,
  requests,
  seed,
  onProgress = () => {},
  signal,
}: FuzzOptions): Promise<FuzzResult> {
  const operations = await readOperations(system.baseUrl)
  const keys = await createKeys(system)
  const known = new KnownIds()
  // The first project too: under another name, nothing else would find it.
  for (const path of ['/v1/keys', '/v1/users', '/v1/projects']) known.spare(await listed(system, path))
  const pool = new Pool(system.baseUrl, {
    connections: inFlight,
    headersTimeout: answerWithinMs,
    bodyTimeout: answerWithinMs,
  })
  const statuses = new Map<string, Map<number, number>>()
  const faults: string[] = []
  let faultCount = 0
  const restarts = () => [...system.services].map(([name, { program }]) => [name, program.restarts] as const)
  const before = new Map(restarts())
  let early: Map<string, number> | undefined

  const send = async (request: FuzzRequest, { path: template }: Operation) => {
    const { operation, method, path, headers, body } = request
    let fault: string | undefined
    try {
      const answer = await pool.request({ method: method as 'GET', path, headers, ...(body !== undefined && { body }) })
      const type = String(answer.headers['content-type'] ?? '')
      const isEndless = type.startsWith('text/event-stream')
      if (isEndless) answer.body.destroy()
      const text = isEndless ? '' : await answer.body.text()
      fault = faultOf(answer.statusCode, type, text)
      if (answer.statusCode < 300 && type.startsWith('application/json')) known.learn(template, JSON.parse(text))
      const counts = statuses.get(operation) ?? new Map<number, number>()
      counts.set(answer.statusCode, (counts.get(answer.statusCode) ?? 0) + 1)
      statuses.set(operation, counts)
    } catch (error) {
      fault = `no answer: ${(error as Error).message}`
    }
    if (fault === undefined) return
    faultCount += 1
    if (faults.length < 20) faults.push(`${fault}\n  ${describe(request, keys)}`)
  }

  function* generated(): Generator<readonly [FuzzRequest, Operation]> {
    for (let [turn, sent] = [0, 0]; sent < requests; turn += 1, sent += batch) {
      signal?.throwIfAborted()
      const operation = operations[turn % operations.length] as Operation
      const arbitrary = requestFor(operation, keys, (name) => known.of(operation.path, name))
      const numRuns = Math.min(batch, requests - sent)
      for (const request of fc.sample(arbitrary, { numRuns, seed: seed + sent })) yield [request, operation]
      onProgress(sent + numRuns)
    }
  }

  try {
    await send(withKey(gzipBomb, keys[0]), operations[0] as Operation)
    let sent = 0
    const waiting = generated()
    await Promise.all(
      Array.from({ length: inFlight }, async () => {
        for (const [request, operation] of waiting) {
          await send(request, operation)
          sent += 1
          if (sent === Math.ceil(requests / 10)) early = await memoryOf(system)
        }
      }),
    )
  } finally {
    await pool.close()
  }
  const late = await memoryOf(system)
  return {
    ...{ statuses, faults, faultCount },
    memory: [...late].map(([service, lateMb]) => ({ service, earlyMb: early?.get(service) ?? Number.NaN, lateMb })),
    restarted: restarts().flatMap(([name, count]) => (count > (before.get(name) ?? 0) ? [name] : [])),
  }
}

/** Why an answer is wrong; undefined if it is one that the request may get. */
function faultOf(status: number, type: string, text: string): string | undefined {
  if (status >= 500 && status !== 503) return `answered ${status}: ${text.slice(0, 300)}`
  if (status < 400) return undefined
  // A batch of which everything was rejected has the body of an accepted one.
  if (status === 422 && type.startsWith('application/json') && text.includes('"results"')) return undefined
  if (!type.startsWith('application/problem+json')) return `answered ${status} as ${type}: ${text.slice(0, 300)}`
  const { code, status: own, detail } = JSON.parse(text) as Record<string, unknown>
  const isWhole = typeof code === 'string' && own === status && typeof detail === 'string' && detail !== ''
  return isWhole ? undefined : `answered ${status} with half a problem: ${text.slice(0, 300)}`
}

function withKey(request: FuzzRequest, key = ''): FuzzRequest {
  return { ...request, headers: { ...request.headers, authorization: `Bearer ${key}` } }
}

async function listed({ baseUrl, ownerKey }: FuzzOptions['system'], path: string): Promise<unknown> {
  const response = await fetch(new URL(path, baseUrl), { headers: { authorization: `Bearer ${ownerKey}` } })
  return await response.json()
}

/** A key of each role. */
async function createKeys({ baseUrl, ownerKey }: FuzzOptions['system']): Promise<string[]> {
  return await Promise.all(
    ['owner', 'secret', 'read', 'auditor', 'write'].map(async (role) => {
      const response = await fetch(new URL('/v1/keys', baseUrl), {
        method: 'POST',
        headers: { authorization: `Bearer ${ownerKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ role, origins: role === 'write' ? ['*'] : [] }),
      })
      const { text } = (await response.json()) as { text: string }
      return text
    }),
  )
}

async function memoryOf({ services }: FuzzOptions['system']): Promise<Map<string, number>> {
  const memory = new Map<string, number>()
  for (const [name, { program }] of services) {
    if (!/^(ingest|api|auth|processor)/.test(name)) continue
    memory.set(name, ((await residentMemory(program.pid)) ?? Number.NaN) / 1e6)
  }
  return memory
}

function describe({ method, path, headers, body }: FuzzRequest, keys: readonly string[]): string {
  const text = `${method} ${path} ${JSON.stringify(headers)} ${JSON.stringify(body?.toString('latin1').slice(0, 500))}`
  return keys.reduce((hidden, key) => hidden.replaceAll(key, `${key.slice(0, 5)}…`), text)
}
