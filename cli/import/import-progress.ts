import {
  formatCount,
  formatDuration,
  labelled,
  type Output,
  perSecond,
  withProgress,
} from '@clicktally/terminal/progress.ts'
import type { ImportBatch } from './import-batches.ts'
import type { ImportInput } from './import-input.ts'
import type { ImportTally } from './import-tally.ts'

const lineEveryMs = 2_000

/** Called for each answered batch. */
export type OnBatch = (batch: ImportBatch) => void

/** Shows the progress of an import: as a bar if the total size is known, else as lines. */
export async function withImportProgress(
  output: Output,
  inputs: readonly ImportInput[],
  tally: ImportTally,
  work: (onBatch: OnBatch) => Promise<void>,
): Promise<void> {
  const startedAtMs = performance.now()
  const before = tally.accepted + tally.rejected
  const events = () => {
    const count = tally.accepted + tally.rejected
    return `${formatCount(count)} events, ${perSecond(count - before, performance.now() - startedAtMs)}/s`
  }
  const sizes = inputs.map(({ file }) => file?.sizeBytes)
  const total = sizes.reduce((sum: number | undefined, size) => add(sum, size), 0)
  if (total === undefined) return work(linesFor(output, events))

  let first: { bytes: number; atMs: number } | undefined
  let done = 0
  const timeLeft = () => {
    if (first === undefined || done <= first.bytes) return ''
    const leftMs = ((performance.now() - first.atMs) * (total - done)) / (done - first.bytes)
    return `, ${formatDuration(leftMs)} left`
  }
  await withProgress(
    output,
    { label: 'Importing', unit: 'read', total, format: formatBytes, note: () => `, ${events()}${timeLeft()}` },
    (update) =>
      work(({ input, bytesRead }) => {
        done = sizes.slice(0, input).reduce((sum: number, size) => sum + (size ?? 0), 0) + bytesRead
        first ??= { bytes: done, atMs: performance.now() }
        update(done)
      }),
  )
}

function add(sum: number | undefined, size: number | undefined): number | undefined {
  return sum === undefined || size === undefined ? undefined : sum + size
}

/** For pipes, whose size is unknown. */
function linesFor(output: Output, events: () => string): OnBatch {
  let lineAtMs = performance.now()
  return ({ bytesRead }) => {
    if (performance.now() - lineAtMs < lineEveryMs) return
    lineAtMs = performance.now()
    output.line(labelled('Importing', `${formatBytes(bytesRead)} read, ${events()}`))
  }
}

/** `12.3 MB` */
export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} kB`
  return bytes < 1_000_000_000 ? `${(bytes / 1_000_000).toFixed(1)} MB` : `${(bytes / 1_000_000_000).toFixed(2)} GB`
}
