import type { User } from '@clicktally/operations/owner/user-operations.ts'
import { signal } from '@preact/signals'
import { RequestProblem, request, useKey } from '../http/request.ts'
import { hash } from './place.ts'

/** Who looks at the page. */
export type Session =
  | { readonly kind: 'starting' }
  | { readonly kind: 'unreachable'; readonly problem: RequestProblem }
  | { readonly kind: 'signed-out' }
  | { readonly kind: 'user'; readonly user: User }
  /** Whoever has a link with a read key in its fragment, which browsers do not send to servers. */
  | { readonly kind: 'link' }
  | { readonly kind: 'link-ended' }
  /** The installation accepts requests without a key, on loopback only. */
  | { readonly kind: 'open' }

export const session = signal<Session>({ kind: 'starting' })

/** Finds out who looks at the page: the owner of a link, the user of a session, or anybody in open mode. */
export async function startSession(): Promise<void> {
  const key = /^key=([\w-]+)$/.exec(hash.value)?.[1]
  if (key !== undefined) {
    useKey(key)
    session.value = { kind: 'link' }
    return
  }
  try {
    session.value = { kind: 'user', user: await request<User>('/v1/session') }
  } catch (error) {
    if (!(error instanceof RequestProblem)) throw error
    if (error.status === 401) session.value = (await isOpen()) ? { kind: 'open' } : { kind: 'signed-out' }
    else session.value = { kind: 'unreachable', problem: error }
  }
}

async function isOpen(): Promise<boolean> {
  return await request('/v1/balance').then(
    () => true,
    () => false,
  )
}

/** @throws {RequestProblem} */
export async function signIn(email: string, password: string): Promise<void> {
  const user = await request<User>('/v1/session', { method: 'POST', body: { email, password } })
  session.value = { kind: 'user', user }
}

/** Ends this session, or all of the user's. @throws {RequestProblem} */
export async function signOut(everywhere = false): Promise<void> {
  await request(`/v1/session?everywhere=${everywhere}`, { method: 'DELETE' })
  endSession()
}

/** The server no longer accepts the session or the link's key. */
export function endSession(): void {
  const { kind } = session.value
  // Several requests may be refused, one after the other.
  session.value = { kind: kind === 'link' || kind === 'link-ended' ? 'link-ended' : 'signed-out' }
}

/** Whether the user may change settings. */
export function isOwner(): boolean {
  return session.value.kind === 'user' && session.value.user.role === 'owner'
}
