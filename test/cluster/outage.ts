import { setTimeout as sleep } from 'node:timers/promises'
import type { Breaking, Stage } from '@clicktally/faults/stage.ts'
import type { ClusterSystem } from './cluster-system.ts'
import type { Fault } from './fault.ts'

export interface Outage extends Fault {
  /** Completes `accepting resumes after …`. */
  readonly what: string
  /** Limits until clicks are accepted and counted again, in milliseconds. Without one the time is only reported. */
  readonly acceptingWithinMs?: number
  readonly countingWithinMs?: number
  /** How long it lasts at least, in milliseconds. In the short form it ends when clicks are accepted and counted again. */
  readonly forMs: number
}

/** An outage during which the system goes on: times are measured from its begin, and it ends afterwards. */
export async function survive(stage: Stage<ClusterSystem>, breaking: Breaking, outage: Outage): Promise<void> {
  const beginsAtMs = performance.now()
  breaking.broken()
  await begin(outage)
  try {
    breaking.restored()
    await report(stage, breaking, outage)
    if (!stage.short) await sleep(Math.max(0, beginsAtMs + outage.forMs - performance.now()))
  } finally {
    await outage.end?.()
    await stage.system.whole()
  }
}

/** An outage during which clicks are refused or not counted, for `forMs`: times are measured from its end. */
export async function outlast(stage: Stage<ClusterSystem>, breaking: Breaking, outage: Outage): Promise<void> {
  breaking.broken()
  await begin(outage)
  try {
    await sleep(outage.forMs)
  } finally {
    await outage.end?.()
    breaking.restored()
  }
  await report(stage, breaking, outage)
  await stage.system.whole()
}

/** If it does not begin as a whole, it ends. */
async function begin(fault: Fault): Promise<void> {
  try {
    await fault.begin()
  } catch (error) {
    await fault.end?.().catch(() => {})
    throw error
  }
}

async function report(stage: Stage<ClusterSystem>, breaking: Breaking, outage: Outage): Promise<void> {
  const { acceptedAgainMs, countedAgainMs } = await breaking.recovered()
  stage.promise(`accepting resumes after ${outage.what}`, outage.acceptingWithinMs, acceptedAgainMs)
  stage.promise(`counting resumes after ${outage.what}`, outage.countingWithinMs, countedAgainMs)
}
