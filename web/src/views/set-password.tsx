import { useSignal } from '@preact/signals'
import { RequestProblem, request } from '../http/request.ts'
import { Logo } from '../parts/logo.tsx'
import { go, hash } from '../state/place.ts'

/** The same as the API's limit. */
const leastLength = 12

/** The page of a link with which a user sets a password. Its fragment is the token, which browsers do not send to servers. */
export function SetPassword() {
  const problem = useSignal<string | undefined>(undefined)
  const isDone = useSignal(false)
  const submit = async (event: SubmitEvent) => {
    event.preventDefault()
    const fields = new FormData(event.currentTarget as HTMLFormElement)
    const password = String(fields.get('password'))
    if (password !== fields.get('again')) {
      problem.value = 'The two passwords differ.'
      return
    }
    try {
      await request('/v1/password', { method: 'POST', body: { token: hash.value, password } })
      isDone.value = true
    } catch (error) {
      problem.value = error instanceof RequestProblem ? error.message : String(error)
    }
  }
  if (isDone.value) {
    return (
      <main class="door">
        <div class="door-card">
          <Logo />
          <h1>Your password is set</h1>
          <button type="button" class="primary" onClick={() => go('/')}>
            Sign in
          </button>
        </div>
      </main>
    )
  }
  return (
    <main class="door">
      <form class="door-card" onSubmit={submit}>
        <Logo />
        <h1>Set your password</h1>
        {hash.value === '' && (
          <p class="problem" role="alert">
            The link is not complete: the part after # is missing. Copy the whole link.
          </p>
        )}
        {problem.value !== undefined && (
          <p class="problem" role="alert">
            {problem.value}
          </p>
        )}
        <label>
          New password
          <input name="password" type="password" autocomplete="new-password" minLength={leastLength} required />
        </label>
        <label>
          The same again
          <input name="again" type="password" autocomplete="new-password" minLength={leastLength} required />
        </label>
        <p class="muted">At least {leastLength} characters. A sentence is easier to remember than symbols.</p>
        <button type="submit" class="primary">
          Set the password
        </button>
      </form>
    </main>
  )
}
