import { Logo } from '../parts/logo.tsx'

export function LinkEnded() {
  return (
    <main class="door">
      <div class="door-card">
        <Logo />
        <h1>This link has ended</h1>
        <p>It was revoked, or its time is over. Whoever gave it to you can make a new one.</p>
        <p>
          <a href="/">Sign in instead</a>
        </p>
      </div>
    </main>
  )
}
