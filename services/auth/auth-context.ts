import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import type { SignInLimits } from './sessions/sign-in-limits.ts'

/** The dependencies of the routes. */
export interface AuthContext {
  readonly db: Kysely<Tables>
  readonly signInLimits: SignInLimits
  /** Called after each change of keys or projects has been committed. */
  readonly onKeysChanged: () => void
}
