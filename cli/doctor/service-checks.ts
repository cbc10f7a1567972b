import { type Answer, ask, describeAnswer, jsonObject } from '@clicktally/requests/answer.ts'
import type { FoundServer } from '../system/http-access.ts'
import { type Finding, finding } from './finding.ts'

/** A request that changes nothing, and what the service answers if it works. */
interface Probe {
  readonly service: string
  readonly path: string
  /** An empty batch if there is a body. */
  readonly body?: string
  readonly expected: 'batch_empty' | 'content'
  /** What does not work without the service. */
  readonly without: string
}

/** nginx gives up after 8 s. */
const answerTimeoutMs = 10_000

/** What nginx answers itself, whichever service is asked for, and what to do. */
const refusals: Record<string, string> = {
  host_not_served:
    'Add this name to CLICKTALLY_HOSTS and restart nginx, or set CLICKTALLY_URL to an address with a name that it serves.',
  https_required: 'Set CLICKTALLY_URL to the https:// address.',
}

/**
 * Whether nginx answers, and behind it each service that answers requests. If there are several copies of a service, one of them is
 * asked. If nginx does not answer, that is the only finding.
 */
export async function checkServices({ baseUrl, key }: FoundServer): Promise<readonly Finding[]> {
  const answers = await Promise.all(probes().map(async (probe) => ({ probe, answer: await send(probe, baseUrl, key) })))
  const nginx = judgeNginx(
    baseUrl,
    answers.map(({ answer }) => answer),
  )
  return nginx.state === 'ok' ? [nginx, ...answers.map(({ probe, answer }) => judge(probe, answer))] : [nginx]
}

function probes(): Probe[] {
  return [
    {
      service: 'ingest',
      path: 'v1/events/batch',
      body: '\n',
      expected: 'batch_empty',
      without: 'clicks are refused',
    },
    {
      service: 'api',
      // A range that nobody has asked for: nginx would answer with what it has kept while the api is stopped.
      path: `v1/counts?from=${encodeURIComponent(new Date().toISOString())}`,
      expected: 'content',
      without: 'counts cannot be read',
    },
    {
      service: 'auth',
      path: 'v1/projects',
      expected: 'content',
      without: 'nobody can sign in or change keys, projects and links',
    },
  ]
}

async function send({ path, body }: Probe, baseUrl: URL, key: string | undefined): Promise<Answer> {
  const headers = {
    ...(key !== undefined && { authorization: `Bearer ${key}` }),
    ...(body !== undefined && { 'content-type': 'application/x-ndjson' }),
  }
  const request = body === undefined ? { headers } : { method: 'POST', headers, body }
  return await ask(new URL(path, baseUrl), request, new AbortController().signal, answerTimeoutMs)
}

function judgeNginx({ origin }: URL, answers: readonly Answer[]): Finding {
  const said = answers.find((answer) => codeOf(answer) !== undefined || isContent(answer))
  const refused = answers.find((answer) => Object.hasOwn(refusals, codeOf(answer) ?? ''))
  if (said !== undefined && refused === undefined) return finding('nginx', 'ok', `answers at ${origin}`)
  const answer = refused ?? (answers[0] as Answer)
  const advice =
    refusals[codeOf(answer) ?? ''] ??
    (answer.status === 0
      ? 'Start nginx, or set CLICKTALLY_URL to the address where it listens. Clicks are refused meanwhile.'
      : 'It does not answer as Clicktally: set CLICKTALLY_URL to its address, and see what is in front of nginx.')
  return finding('nginx', 'problem', `${origin}: ${describeAnswer(answer)}`, advice)
}

function judge({ service, expected, without }: Probe, answer: Answer): Finding {
  const code = codeOf(answer)
  const found = describeAnswer(answer)
  // A key without the right was recognized, so the service works.
  const isExpected = expected === 'content' ? isContent(answer) : code === expected
  if (isExpected || code === 'right_missing') return finding(service, 'ok', 'answers')
  if (answer.status === 401) {
    const advice =
      'Set CLICKTALLY_KEY to a key of this system. If ingest alone refuses it, see the log of auth, which sends it the keys.'
    return finding(service, 'unknown', found, advice)
  }
  if (answer.status === 0 || answer.status >= 500) {
    const cure = code === 'upstream_unavailable' ? `Start ${service}` : `See the log of ${service}`
    return finding(service, 'problem', found, `${cure}: ${without}.`)
  }
  const cure = answer.status === 404 ? 'Is CLICKTALLY_URL the address of nginx?' : 'Repeat the check.'
  return finding(service, 'unknown', found, `${cure} If this remains, see the log of ${service}.`)
}

function isContent(answer: Answer): boolean {
  return answer.status === 200 && jsonObject(answer) !== undefined
}

/** The code of a problem as Clicktally answers it. */
function codeOf(answer: Answer): string | undefined {
  const { code } = jsonObject(answer) ?? {}
  return typeof code === 'string' ? code : undefined
}
