import { accessProblem } from '@clicktally/access/access-problems.ts'
import type { KeyRing } from '@clicktally/keys/key-ring.ts'
import { homeCell } from '@clicktally/system/cells.ts'
import type { RequestSpan } from '@clicktally/tracing/tracing.ts'
import { problem } from '../errors.ts'
import type { ClickPublisher, Refusal } from './click-publisher.ts'

/**
 * The publishers of all cells (decision 0047). Clicks go to the cell of their project, according to the newest key snapshot. Each cell has
 * a connection and limits of its own, so one that is down or slow takes nothing from the others.
 */
export class CellPublishers {
  readonly #home: ClickPublisher
  readonly #others: ReadonlyMap<string, ClickPublisher>
  readonly #ring: KeyRing

  /** @param others by the name of their cell */
  constructor(home: ClickPublisher, others: ReadonlyMap<string, ClickPublisher>, ring: KeyRing) {
    this.#home = home
    this.#others = others
    this.#ring = ring
  }

  /** By the name of their cell. */
  get all(): ReadonlyMap<string, ClickPublisher> {
    return new Map([[homeCell, this.#home], ...this.#others])
  }

  /** Whether clicks of any cell would be sent. An ingest that is taken out of service for one cell would be missing to the others. */
  get isReady(): boolean {
    return this.#home.isReady || this.#others.values().some(({ isReady }) => isReady)
  }

  /** Why no click would be sent; undefined if those of some cell would be. */
  get refusal(): Refusal | undefined {
    return this.isReady ? undefined : this.#home.refusal
  }

  /**
   * Resolves when the broker of the project's cell has routed the clicks to the queue and written them to disk.
   *
   * @param lines of the clicks of a request, all of the project: the first encoded by encodeClick(), others perhaps by encodeShort()
   * @param span of the request that sent them, if it is traced
   * @throws {ServiceProblem} with status 503: the clicks may or may not be counted, and may be sent again with the same ids
   */
  publish(projectId: number, lines: string, clicks: number, span?: RequestSpan): Promise<void> {
    const project = this.#ring.project(projectId)
    // Only in open mode, before the first snapshot.
    if (project === undefined && this.#others.size > 0) {
      return Promise.reject(accessProblem('keys_unavailable', 'The cell of the project is not known yet. Retry.'))
    }
    const cell = project?.cell ?? homeCell
    const publisher = cell === homeCell ? this.#home : this.#others.get(cell)
    return publisher?.publish(lines, clicks, span) ?? Promise.reject(unknownCell(cell))
  }
}

function unknownCell(cell: string) {
  return problem(
    'cell_unknown',
    `The project is in the cell "${cell}", which this ingest does not know: add it to CELL_BROKER_URLS. Retry later with the same id.`,
  )
}
