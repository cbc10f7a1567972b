import { Logo } from '../parts/logo.tsx'

export function LinkEnded() {
  return (
    <main class="door">
      <div class="door-card">
        <Logo />
        <h1>This link has ended</h1>
        <p>It was revoked, or its time is over. Ask for a new one where you got it.</p>
        <p>
          <a href="/">Sign in instead</a>
        </p>
      </div>
    </main>
  )
}
