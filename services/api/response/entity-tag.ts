import { hash } from 'node:crypto'
import type { Meta } from '@clicktally/operations/read/read-schemas.ts'

/**
 * The weak entity tag of counts: of all but `asOf` and `lagMs`, which differ in each answer. An earlier answer with the same tag is
 * still true, because it claims less: everything before an earlier time is included.
 */
export function entityTag<Answer extends { readonly meta: Meta }>({ meta, ...counts }: Answer): string {
  const { asOf: _asOf, lagMs: _lagMs, ...described } = meta
  return `W/"${hash('sha256', JSON.stringify([counts, described]), 'base64url').slice(0, 22)}"`
}

/** Whether an If-None-Match header lists the tag. Tags are compared weakly (RFC 9110, section 8.8.3.2). */
export function isKnown(tag: string, ifNoneMatch: string | undefined): boolean {
  if (ifNoneMatch === undefined) return false
  if (ifNoneMatch.trim() === '*') return true
  const opaque = tag.slice(2)
  return [...ifNoneMatch.matchAll(/"[^"]*"/g)].some(([each]) => each === opaque)
}
