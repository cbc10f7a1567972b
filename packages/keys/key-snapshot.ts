import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { keyRoles } from './roles.ts'

const Id = Type.Integer({ minimum: 1, maximum: 2_147_483_647 })
const TimeMs = Type.Integer({ minimum: 0 })

/** What services need to verify a key. */
export const SnapshotKey = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 64 }),
  /** SHA-256 of the key's text, in base64url. */
  hash: Type.String({ pattern: '^[\\w-]{43}$' }),
  role: Type.Enum(keyRoles),
  /** The project that the key writes to and, for `read`, the only one that it reads. */
  projectId: Id,
  /** Exact origins that may use the key in a browser; `*` allows every origin. */
  origins: Type.Array(Type.String({ maxLength: 256 })),
  /** Clicks per second that the key may send on average, and twice as many in a burst. Absent: no limit. */
  clicksPerSecond: Type.Optional(Type.Integer({ minimum: 1 })),
  expiresAtMs: Type.Optional(TimeMs),
})
export type SnapshotKey = Static<typeof SnapshotKey>

export const SnapshotProject = Type.Object({
  id: Id,
  name: Type.String(),
  /** Whether the visitor of a click without `visitorId` is derived from the browser's address and user agent. */
  derivesVisitors: Type.Boolean(),
  /** Where its clicks are counted (decision 0047). Absent: in the home cell. */
  cell: Type.Optional(Type.String()),
  /** While it moves: the cell from which it is read, and the time after which that may lack clicks. */
  moving: Type.Optional(Type.Object({ from: Type.String(), sinceMs: TimeMs })),
})
export type SnapshotProject = Static<typeof SnapshotProject>

/** A link that counts and redirects. */
export const SnapshotLink = Type.Object({
  /** Its name in the path. */
  slug: Type.String({ minLength: 1, maxLength: 63 }),
  projectId: Id,
  /** What a visit is counted as. */
  target: Type.String({ minLength: 1, maxLength: 256 }),
  url: Type.String({ pattern: '^https?://', maxLength: 2_048 }),
})
export type SnapshotLink = Static<typeof SnapshotLink>

/**
 * All valid keys, in one message. Each snapshot replaces the previous one: a key that is not in it is unknown, revoked or
 * expired.
 */
export const KeySnapshot = Type.Object({
  /** Increases with each change. Of two snapshots, the one with the higher version is newer. */
  version: Type.Integer({ minimum: 0 }),
  publishedAtMs: TimeMs,
  projects: Type.Array(SnapshotProject),
  keys: Type.Array(SnapshotKey),
  /** Absent in a snapshot of an earlier version. */
  links: Type.Optional(Type.Array(SnapshotLink)),
  /** Salts of the derived visitors, by UTC day (2026-11-28), in base64url. */
  visitorSalts: Type.Record(Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\d$' }), Type.String()),
})
export type KeySnapshot = Static<typeof KeySnapshot>

/** The AMQP type of a message that carries a snapshot. */
export const keySnapshotType = 'keys.v1'

const schema = Compile(KeySnapshot)

export function encodeKeySnapshot(snapshot: KeySnapshot): Buffer {
  return Buffer.from(JSON.stringify(snapshot))
}

/** Reads a snapshot. @throws Error, without the content, if its type is unknown or it is invalid. */
export function decodeKeySnapshot(type: string | undefined, content: Buffer): KeySnapshot {
  if (type !== keySnapshotType) throw new Error(`The message's type is not ${keySnapshotType}.`)
  let value: unknown
  try {
    value = JSON.parse(content.toString('utf8'))
  } catch {
    throw new Error('The key snapshot is not JSON.')
  }
  if (!schema.Check(value)) {
    const [error] = schema.Errors(value)
    throw new Error(`The key snapshot is invalid: ${error?.instancePath} ${error?.message}`)
  }
  return value
}
