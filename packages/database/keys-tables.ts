import type { KeyRole, UserRole } from '@clicktally/keys/roles.ts'
import type { Generated, GeneratedAlways } from 'kysely'

/** The tables of projects, keys, users and the audit log, as Kysely sees them. services/auth alone writes them. */
export interface KeysTables {
  projects: ProjectsTable
  keys: KeysTable
  public_counters: PublicCountersTable
  links: LinksTable
  users: UsersTable
  sessions: SessionsTable
  password_links: PasswordLinksTable
  audit_log: AuditLogTable
  visitor_salts: VisitorSaltsTable
  key_version: KeyVersionTable
}

export interface ProjectsTable {
  id: Generated<number>
  name: string
  created_at: Generated<Date>
  /** Whether the visitor of a click without `visitorId` is derived from the browser's address and user agent. */
  derives_visitors: Generated<boolean>
  /** Names of the props that are dimensions; at most 20. */
  dimensions: Generated<string[]>
  /** For how many days raw clicks are kept at least. Null: for ever. */
  keep_raw_days: number | null
  /** Where its clicks are counted (decision 0047). */
  cell: Generated<string>
  /** While it moves: the cell from which it is read. */
  moving_from: Generated<string | null>
  /** The time after which `moving_from` may lack clicks. */
  moving_since: Generated<Date | null>
}

export interface KeysTable {
  /** 12 characters, part of the key's text. */
  id: string
  project_id: number
  role: KeyRole
  label: string
  /** SHA-256 of the key's text. */
  hash: Buffer
  origins: Generated<string[]>
  clicks_per_second: number | null
  /** Kept equal to the operator's secret file; not changed over HTTP. */
  is_operator: Generated<boolean>
  created_at: Generated<Date>
  expires_at: Date | null
  revoked_at: Date | null
  /** Of a key that was rotated: the expiry of its replacements. Infinity: none. `expires_at` has the end of the overlap. */
  replacement_expires_at: Generated<Date | number | null>
}

/** Counters that anyone may read. */
export interface PublicCountersTable {
  /** Part of the URL. */
  slug: string
  project_id: number
  /** Null: all targets together. */
  target: string | null
  /** How many days are counted, today included. Null: all. */
  days: number | null
  label: string
  created_at: Generated<Date>
}

/** Links that count and redirect. */
export interface LinksTable {
  /** Part of the URL. */
  slug: string
  project_id: number
  /** What a visit is counted as. */
  target: string
  url: string
  created_at: Generated<Date>
}

export interface UsersTable {
  id: Generated<string>
  email: string
  role: UserRole
  /** argon2id in the PHC string format. Null until the invitation is accepted. */
  password_hash: string | null
  created_at: Generated<Date>
  disabled_at: Date | null
}

export interface SessionsTable {
  /** SHA-256 of the cookie's value. */
  hash: Buffer
  user_id: string
  created_at: Generated<Date>
  expires_at: Date
}

/** Links by which a user sets a password. Each works once. */
export interface PasswordLinksTable {
  /** SHA-256 of the token in the link. */
  hash: Buffer
  user_id: string
  created_at: Generated<Date>
  expires_at: Date
}

export interface AuditLogTable {
  id: GeneratedAlways<number>
  at: Generated<Date>
  /** `key:<id>`, `user:<id>` or `system`. */
  actor: string
  actor_name: string
  address: string | null
  /** Such as `key.create`. */
  action: string
  /** Which project, key or user. */
  subject: string
  detail: unknown
}

export interface VisitorSaltsTable {
  day: Date
  salt: Buffer
}

/** One row: grows with each change of projects, keys and salts. */
export interface KeyVersionTable {
  only_row: Generated<boolean>
  version: number
}
