import type { Key, NewKey } from '@clicktally/operations/owner/key-operations.ts'
import type { ClickBalance } from '@clicktally/operations/read-operations.ts'
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { formatCount } from '../format.ts'
import { usePolled } from '../http/polling.ts'
import type { RequestProblem } from '../http/request.ts'
import { CopyBox } from '../parts/copy-box.tsx'
import { RequestForm } from '../parts/request-form.tsx'
import { createKey, isValid, projectName, readOrigins } from '../state/keys.ts'
import { isOwner, session } from '../state/session.ts'

/** In place of the counts while there are none: how to send the first click, and why it may not arrive. */
export function FirstClick() {
  const key = useSignal<NewKey | undefined>(undefined)
  return (
    <section class="card first-click" aria-label="Send the first click">
      <p class="listening" role="status">
        <span class="pulse" aria-hidden="true" />
        Waiting for the first click of the project “{projectName()}”
      </p>
      <h1>Send your first click</h1>
      {isOwner() && <NewKeys onKey={(created) => (key.value = created)} />}
      {session.value.kind === 'user' && !isOwner() && <p>Ask an owner for a key of this project.</p>}
      <Commands created={key.value} />
      <Diagnosis />
    </section>
  )
}

/** Creates a key for a server or for pages. */
function NewKeys({ onKey }: { onKey: (key: NewKey) => void }) {
  const forPages = useSignal(false)
  const create = async (fields: FormData) =>
    onKey(
      await createKey(
        forPages.value
          ? { role: 'write', label: 'first pages', origins: readOrigins(String(fields.get('origins'))) }
          : { role: 'secret', label: 'first server' },
      ),
    )
  return (
    <>
      <fieldset class="segments">
        <legend class="hidden">Where clicks come from</legend>
        {[false, true].map((choice) => (
          <button
            key={String(choice)}
            type="button"
            aria-pressed={forPages.value === choice}
            onClick={() => {
              forPages.value = choice
            }}
          >
            {choice ? 'From web pages' : 'From a server or a terminal'}
          </button>
        ))}
      </fieldset>
      <RequestForm action="Create a key" submit={create}>
        {forPages.value && (
          <label>
            Origins of your pages
            <input name="origins" required placeholder="https://shop.example" />
          </label>
        )}
        <p class="muted">
          {forPages.value
            ? 'A write key may be seen by everyone: it only sends clicks, and only from these origins.'
            : 'A secret key stays on your server.'}
        </p>
      </RequestForm>
    </>
  )
}

function Commands({ created }: { created: NewKey | undefined }) {
  const hasScript = useHasScript()
  const key = created?.text ?? (session.value.kind === 'open' ? undefined : '<key>')
  if (created?.key.role === 'write') {
    return (
      <>
        <p>Put this into your pages. The key is shown only now:</p>
        <CopyBox text={hasScript ? scriptFor(created.text) : ownScriptFor(created.text)} label="the snippet" />
      </>
    )
  }
  return (
    <>
      <p>{created === undefined ? 'Then run:' : 'Run this in a terminal. The key is shown only now:'}</p>
      <CopyBox text={commandFor(key)} label="the command" />
    </>
  )
}

function commandFor(key: string | undefined): string {
  const bearer = key === undefined ? '' : ` \\\n  -H 'authorization: Bearer ${key}'`
  return `curl -X POST ${location.origin}/v1/events${bearer} \\\n  -H 'content-type: application/json' -d '{"target":"signup-button"}'`
}

const scriptPath = '/tally.js'

/** Whether the script is at its usual path. The operator may have chosen another, which this page does not know. */
function useHasScript(): boolean {
  const hasScript = useSignal(true)
  useEffect(() => {
    void fetch(scriptPath, { method: 'HEAD' }).then(
      ({ ok }) => {
        hasScript.value = ok
      },
      // Nothing is known. The page tries to reach the server anyway.
      () => {},
    )
  }, [hasScript])
  return hasScript.value
}

function scriptFor(key: string): string {
  return `<script defer src="${location.origin}${scriptPath}" data-key="${key}"></script>
<button data-clicktally="signup-button">Sign up</button>`
}

function ownScriptFor(key: string): string {
  return `<button data-click="signup-button">Sign up</button>
<script>
  addEventListener('click', ({ target }) => {
    const clicked = target.closest('[data-click]')
    if (clicked) fetch('${location.origin}/v1/c?key=${key}', {
      method: 'POST', keepalive: true, body: JSON.stringify({ target: clicked.dataset.click }),
    })
  }, true)
</script>`
}

/** What the server knows about clicks that do not arrive, and what only the browser of the page knows. */
function Diagnosis() {
  const balance = usePolled<ClickBalance>(session.value.kind === 'link' ? undefined : '/v1/balance', 2_000)
  const keys = usePolled<{ keys: Key[] }>(
    session.value.kind === 'user' ? `/v1/keys?project=${projectName()}` : undefined,
    5_000,
  )
  const findings = [...ofBalance(balance.data, balance.problem), ...ofKeys(keys.data?.keys)]
  return (
    <details class="diagnosis">
      <summary>Nothing arrives?</summary>
      <ul>
        {findings.map((finding) => (
          <li key={finding}>{finding}</li>
        ))}
      </ul>
      <p>The console of the browser that shows your page tells the rest:</p>
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">It says</th>
            <th scope="col">Then</th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(symptoms()).map(([symptom, advice]) => (
            <tr key={symptom}>
              <th scope="row">{symptom}</th>
              <td>{advice}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  )
}

function ofBalance(balance: ClickBalance | undefined, problem: RequestProblem | undefined): string[] {
  if (problem !== undefined) return [problem.message]
  if (balance === undefined) return []
  const { status, inFlight, dead } = balance
  return [
    status === 'current'
      ? 'The server works: its processors report, and would count a click at once.'
      : 'No processor reports: clicks are accepted and kept, and counted when one runs. See the logs of the processor.',
    ...(inFlight > 0 ? [`${formatCount(inFlight)} clicks were accepted and are about to be counted.`] : []),
    ...(dead > 0 ? [`${formatCount(dead)} clicks could not be stored. "clicktally dead list" shows why.`] : []),
  ]
}

function ofKeys(keys: readonly Key[] | undefined): string[] {
  if (keys === undefined) return []
  const sending = keys.filter((key) => isValid(key) && ['write', 'secret'].includes(key.role))
  if (sending.length === 0) return ['The project has no key that may send clicks. Create one.']
  return sending.map(({ role, label, id, origins }) =>
    role === 'write'
      ? `The write key “${label || id}” works in pages of ${origins.join(', ')} only.`
      : `The secret key “${label || id}” works on servers.`,
  )
}

function symptoms(): Record<string, string> {
  const { origin } = location
  return {
    '401 key_unknown, key_malformed': 'The key is wrong, or part of it is missing. Copy it again.',
    '403 origin_not_allowed, or “blocked by CORS policy”':
      'The key does not list the origin of your page: scheme, host and port must be the same. Create a key with it.',
    '“violates the Content Security Policy”': `Your page forbids the request. Add ${origin} to its connect-src.`,
    'net::ERR_BLOCKED_BY_CLIENT': 'An extension blocks the request. A host name of your own site is blocked less.',
    'Mixed content': 'Your page uses https and Clicktally does not. Give it a certificate: see docs/tls.md.',
    'net::ERR_CONNECTION_REFUSED, or no answer': `The browser cannot reach ${origin}. It listens on loopback unless CLICKTALLY_LISTEN says otherwise.`,
    '421 host_not_served': 'Add the host name to CLICKTALLY_HOSTS.',
  }
}
