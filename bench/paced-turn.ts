import type { Design } from './design.ts'
import { type PacedOptions, type PacedResult, sendPaced } from './paced-sender.ts'

export interface PacedTurn extends PacedResult {
  /** Why the latencies count for nothing. */
  readonly voided: string | undefined
}

/** Sends a design clicks at a constant rate, and asks afterwards what it has kept. */
export async function playPacedTurn(design: Design, options: Omit<PacedOptions, 'url'>): Promise<PacedTurn> {
  const result = await sendPaced({ url: design.url, ...options })
  const accepted = result.acceptedIds.length
  const kept = await design.kept?.(accepted)
  return { ...result, voided: voidReason(design, result, accepted, kept) }
}

function voidReason(
  { name, mayLose = false }: Design,
  { latenciesMs, answers, unsent, sentClicks }: PacedResult,
  accepted: number,
  kept: number | undefined,
): string | undefined {
  const requests = Object.values(answers).reduce((sum, count) => sum + count, unsent)
  // The latencies of those that were not accepted are missing, and they would be the longest.
  if (latenciesMs.length < requests * 0.999) {
    return `${name} accepted ${latenciesMs.length} of ${requests} requests`
  }
  if (kept === undefined || mayLose || (kept >= accepted && kept <= sentClicks)) return undefined
  return `${name} answered 202 to ${accepted} clicks and kept ${kept}`
}
