import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import type { SignInLimits } from './sessions/sign-in-limits.ts'
import type { WebhookAddresses } from './webhooks/webhooks.ts'

/** The dependencies of the routes. */
export interface AuthContext {
  readonly db: Kysely<Tables>
  readonly signInLimits: SignInLimits
  /** Where webhooks may lead to. */
  readonly webhookAddresses: WebhookAddresses
  /** The names of the cells that a project may be in. */
  readonly cells: readonly string[]
  /** Called after each change of keys or projects has been committed. */
  readonly onKeysChanged: () => void
}
