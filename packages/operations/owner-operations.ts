import { auditOperations } from './owner/audit-operations.ts'
import { keyOperations } from './owner/key-operations.ts'
import { linkOperations } from './owner/link-operations.ts'
import { projectOperations } from './owner/project-operations.ts'
import { publicCounterOperations } from './owner/public-counter-operations.ts'
import { sessionOperations } from './owner/session-operations.ts'
import { thresholdOperations } from './owner/threshold-operations.ts'
import { userOperations } from './owner/user-operations.ts'
import { webhookOperations } from './owner/webhook-operations.ts'

/** Operations of the auth service. Requests are validated against these schemas. */
export const ownerOperations = {
  ...projectOperations,
  ...keyOperations,
  ...publicCounterOperations,
  ...linkOperations,
  ...webhookOperations,
  ...thresholdOperations,
  ...userOperations,
  ...sessionOperations,
  ...auditOperations,
} as const
