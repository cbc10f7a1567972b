import type { KeySnapshot, SnapshotKey, SnapshotLink, SnapshotProject } from './key-snapshot.ts'
import { hashKey, maxKeyChars, parseKey } from './key-text.ts'

/**
 * The valid keys, from the newest snapshot that the service has received.
 *
 * States: `empty` (no snapshot yet: no key can be verified, and the service must refuse requests) → `filled`, permanently. If no
 * further snapshots arrive, the last one stays in use, and a metric shows its age.
 */
export class KeyRing {
  #snapshot: KeySnapshot | undefined
  #byHash = new Map<string, SnapshotKey>()
  #projects = new Map<number, SnapshotProject>()
  #origins = new Set<string>()
  #links = new Map<string, SnapshotLink>()

  get isEmpty(): boolean {
    return this.#snapshot === undefined
  }

  get version(): number | undefined {
    return this.#snapshot?.version
  }

  /** When the newest snapshot was published. Milliseconds since 1970. */
  get publishedAtMs(): number | undefined {
    return this.#snapshot?.publishedAtMs
  }

  /** Uses the snapshot, unless a newer one is known. @returns whether it is used now. */
  replace(snapshot: KeySnapshot): boolean {
    const known = this.#snapshot
    if (known !== undefined && snapshot.version < known.version) return false
    if (known?.version === snapshot.version && snapshot.publishedAtMs < known.publishedAtMs) return false
    this.#snapshot = snapshot
    // The same version was published again, so the keys are the same.
    if (known?.version === snapshot.version) return true
    this.#byHash = new Map(snapshot.keys.map((key) => [key.hash, key]))
    this.#projects = new Map(snapshot.projects.map((project) => [project.id, project]))
    this.#links = new Map(snapshot.links?.map((link) => [link.slug, link]))
    this.#origins = new Set(snapshot.keys.flatMap(({ origins }) => origins))
    return true
  }

  /** Finds a key by its text. Undefined if it is unknown, revoked or expired. */
  find(text: string, nowMs: number): SnapshotKey | undefined {
    if (text.length > maxKeyChars) return undefined
    const key = this.#byHash.get(hashKey(text))
    if (key?.expiresAtMs !== undefined && key.expiresAtMs <= nowMs) return undefined
    return key
  }

  /** The link with this name in its path. */
  link(slug: string): SnapshotLink | undefined {
    return this.#links.get(slug)
  }

  project(id: number): SnapshotProject | undefined {
    return this.#projects.get(id)
  }

  projectNamed(name: string): SnapshotProject | undefined {
    return this.#snapshot?.projects.find((project) => project.name === name)
  }

  /** Whether any key may be used from this origin. For preflight requests, which carry no key. */
  knowsOrigin(origin: string): boolean {
    return this.#origins.has(origin) || this.#origins.has('*')
  }

  /** The salt of the derived visitors on this UTC day, such as 2026-11-28. */
  visitorSalt(day: string): string | undefined {
    return this.#snapshot?.visitorSalts[day]
  }
}

/** Whether the key may be used from this origin. `*` allows every origin. */
export function allowsOrigin({ origins }: { readonly origins: readonly string[] }, origin: string): boolean {
  return origins.includes(origin) || origins.includes('*')
}

/** Why a key was not found, for the error message. */
export function whyNotFound(text: string): 'malformed' | 'unknown' {
  return parseKey(text) === undefined ? 'malformed' : 'unknown'
}
