import { problem } from '../errors.ts'

/** Exports of one api at the same time. Each uses a database connection for most of its time. */
export const maxExports = 2
/** A query that finds no click may have to read a partition. */
export const exportStatementTimeoutMs = 60_000

/** Limits exports: one for each key or user, and `maxExports` together. */
export class ExportLimits {
  readonly #names = new Set<string>()

  /**
   * Begins an export.
   *
   * @param name of the key or user
   * @returns to be called when it ends; further calls do nothing
   * @throws {ServiceProblem} export_in_progress, exports_busy
   */
  begin(name: string): () => void {
    if (this.#names.has(name))
      throw problem('export_in_progress', 'This key or user has an export in progress. Wait until it ends.')
    if (this.#names.size >= maxExports)
      throw problem('exports_busy', `${maxExports} exports are in progress. Retry later.`)
    this.#names.add(name)
    let hasEnded = false
    return () => {
      if (!hasEnded) this.#names.delete(name)
      hasEnded = true
    }
  }
}
