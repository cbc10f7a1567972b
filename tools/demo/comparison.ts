import type { ClickCount, RankedTarget, TargetCounts } from '@clicktally/requests/target-counts.ts'

/** A target whose count differs from the expected one. */
export interface Difference {
  target: string
  counted: ClickCount
  expected: ClickCount
}

/** The API's counts compared with the expected ones. */
export interface Comparison {
  equal: boolean
  /** Largest first. */
  differences: Difference[]
  /** `counted` is the API's own total; `listed` is the sum over its list of targets. */
  totals: { counted: ClickCount; listed: ClickCount; expected: ClickCount }
  topCounted: RankedTarget[]
  topExpected: RankedTarget[]
}

const topLength = 10

export function compareCounts(counted: TargetCounts, countedTotals: ClickCount, expected: TargetCounts): Comparison {
  const differences: Difference[] = []
  for (const target of new Set([...expected.targets(), ...counted.targets()])) {
    const difference = { target, counted: counted.get(target), expected: expected.get(target) }
    if (!sameCount(difference.counted, difference.expected)) differences.push(difference)
  }
  differences.sort((a, b) => distance(b) - distance(a) || (a.target < b.target ? -1 : 1))
  const totals = {
    counted: { people: countedTotals.people, bots: countedTotals.bots },
    listed: { people: counted.people, bots: counted.bots },
    expected: { people: expected.people, bots: expected.bots },
  }
  return {
    equal:
      differences.length === 0 &&
      sameCount(totals.counted, totals.expected) &&
      sameCount(totals.listed, totals.expected),
    differences,
    totals,
    topCounted: counted.top(topLength),
    topExpected: expected.top(topLength),
  }
}

function sameCount(a: ClickCount, b: ClickCount): boolean {
  return a.people === b.people && a.bots === b.bots
}

function distance({ counted, expected }: Difference): number {
  return Math.abs(counted.people - expected.people) + Math.abs(counted.bots - expected.bots)
}
