import type { RequestProblem } from '../http/request.ts'
import { Logo } from '../parts/logo.tsx'
import { startSession } from '../state/session.ts'

export function Unreachable({ problem }: { problem: RequestProblem }) {
  return (
    <main class="door">
      <div class="door-card">
        <Logo />
        <h1>Clicktally does not answer</h1>
        <p role="alert">{problem.message}</p>
        <button type="button" class="primary" onClick={() => void startSession()}>
          Try again
        </button>
      </div>
    </main>
  )
}
