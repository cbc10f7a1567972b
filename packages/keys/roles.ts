/** What a key or a user may do. Each HTTP operation requires one of these rights. */
export const rights = ['send', 'backfill', 'read', 'audit', 'manage'] as const
export type Right = (typeof rights)[number]

/**
 * The rights of each role:
 * - `write` is public: it is embedded in web pages, and sends clicks from the origins that it lists.
 * - `secret` is for servers: it can also send old clicks.
 * - `read` reads the counts of its project.
 * - `auditor` reads everything of every project, the balance and the audit log included, but cannot change anything.
 * - `owner` may do everything.
 */
const rightsOf = {
  write: ['send'],
  secret: ['send', 'backfill'],
  read: ['read'],
  auditor: ['read', 'audit'],
  owner: rights,
} as const satisfies Record<string, readonly Right[]>

export type KeyRole = keyof typeof rightsOf
export const keyRoles = Object.keys(rightsOf) as KeyRole[]

/** The roles of people. */
export const userRoles = ['owner', 'auditor'] as const satisfies readonly KeyRole[]
export type UserRole = (typeof userRoles)[number]

export function hasRight(role: KeyRole, right: Right): boolean {
  return (rightsOf[role] as readonly Right[]).includes(right)
}

/** Whether the role may access every project. The other roles are limited to the project of their key. */
export function reachesEveryProject(role: KeyRole): boolean {
  return role === 'owner' || role === 'auditor'
}
