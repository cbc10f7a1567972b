import { useSignal } from '@preact/signals'
import { RequestProblem } from '../http/request.ts'
import { Logo } from '../parts/logo.tsx'
import { signIn } from '../state/session.ts'

export function SignIn() {
  const problem = useSignal<string | undefined>(undefined)
  const isBusy = useSignal(false)
  const submit = async (event: SubmitEvent) => {
    event.preventDefault()
    const fields = new FormData(event.currentTarget as HTMLFormElement)
    isBusy.value = true
    problem.value = undefined
    try {
      await signIn(String(fields.get('email')), String(fields.get('password')))
    } catch (error) {
      problem.value = error instanceof RequestProblem ? error.message : String(error)
    } finally {
      isBusy.value = false
    }
  }
  return (
    <main class="door">
      <form class="door-card" onSubmit={submit}>
        <Logo />
        <h1>Sign in</h1>
        <p class="muted">Every click counted once, and the proof beside it.</p>
        {problem.value !== undefined && (
          <p class="problem" role="alert">
            {problem.value}
          </p>
        )}
        <label>
          Email address
          <input name="email" type="email" autocomplete="username" required />
        </label>
        <label>
          Password
          <input name="password" type="password" autocomplete="current-password" required />
        </label>
        <button type="submit" class="primary" disabled={isBusy.value}>
          {isBusy.value ? 'Signing in …' : 'Sign in'}
        </button>
        <details class="muted">
          <summary>First start, or lost password?</summary>
          <p>
            The first owner is <code>owner@localhost</code>. The server's command line shows the first password, and
            makes links to set a new one:
          </p>
          <pre>
            <code>npm run clicktally -- keys show-first{'\n'}npm run clicktally -- users --help</code>
          </pre>
        </details>
      </form>
    </main>
  )
}
