import { setTimeout as sleep } from 'node:timers/promises'
import { patience } from '@clicktally/testing/patience.ts'

/** The result of a query, which is repeated if it fails: a fault that has just ended may still close a connection. */
export async function insist<Result>(query: () => Promise<Result>): Promise<Result> {
  const deadlineMs = performance.now() + patience.timeout
  for (;;) {
    try {
      return await query()
    } catch (error) {
      if (performance.now() > deadlineMs) throw error
      await sleep(500)
    }
  }
}
