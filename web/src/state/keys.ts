import type { Key, NewKey } from '@clicktally/operations/owner/key-operations.ts'
import { request } from '../http/request.ts'
import { params } from './place.ts'

/** The project of keys that name none. */
export const firstProject = 'default'

/** The project that the address names. */
export const projectName = () => params.value.get('project') ?? firstProject

export interface KeyWishes {
  readonly role: Key['role']
  readonly label: string
  readonly origins?: readonly string[]
  readonly expiresAt?: string
}

/** Creates a key of the project that is shown. @throws {RequestProblem} */
export async function createKey(wishes: KeyWishes): Promise<NewKey> {
  return await request<NewKey>('/v1/keys', { method: 'POST', body: { project: projectName(), ...wishes } })
}

/** @throws {RequestProblem} */
export async function revokeKey(id: string): Promise<void> {
  await request(`/v1/keys/${encodeURIComponent(id)}`, { method: 'DELETE' })
}

export function isValid({ revokedAt, expiresAt }: Key): boolean {
  return revokedAt === null && (expiresAt === null || Date.parse(expiresAt) > Date.now())
}

/** Labels of keys for links to share begin with this. */
export const sharedLabel = 'Shared view'

/** Origins as people write them: separated by commas, spaces or lines. */
export function readOrigins(text: string): string[] {
  return text.split(/[\s,]+/).filter((each) => each !== '')
}
