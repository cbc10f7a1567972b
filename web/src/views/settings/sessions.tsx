import { ConfirmButton } from '../../parts/confirm-button.tsx'
import { session, signOut } from '../../state/session.ts'

export function Sessions() {
  if (session.value.kind !== 'user') return <p class="card">Nobody is signed in: this installation needs no key.</p>
  const { email, role } = session.value.user
  return (
    <section class="card" aria-label="Your session">
      <h2>
        {email}, {role}
      </h2>
      <p class="muted">
        A session lasts 14 days. Its cookie is the only one of this page. It is sent to this server alone, and scripts
        cannot read it.
      </p>
      <p class="actions-row">
        <button type="button" class="small" onClick={() => void signOut()}>
          Sign out
        </button>
        <ConfirmButton action="Sign out on all devices" confirm="End all your sessions?" run={() => signOut(true)} />
      </p>
    </section>
  )
}
