import { maxPartRows } from '@clicktally/columns/column.ts'
import { GroupCounts } from '@clicktally/columns/group-counts.ts'
import type { PartColumn } from '@clicktally/columns/part.ts'
import { VisitorSets } from '../visitors/visitor-sets.ts'
import type { Scan } from './scan.ts'

export interface BucketCount {
  readonly total: number
  readonly bots: number
  readonly visitors?: number
}

/** The clicks of a question between each two neighbours of `edges`, which are milliseconds since 1970, or infinite. */
export async function countByBucket(
  scan: Scan,
  edges: readonly number[],
  withVisitors: boolean,
): Promise<BucketCount[]> {
  const counts = new GroupCounts()
  const visitors = new VisitorSets()
  const edgeMinutes = edges.map((edge) => edge / 60_000)
  await scan.read((part, mask) => {
    const group = bucketsOf(part.minutes(), edgeMinutes)
    counts.add(part.rows, mask, group, part.bots())
    if (withVisitors) visitors.add(part.rows, mask, group, part.visitors())
  })
  return edges.slice(1).map((_, bucket) => ({
    ...(counts.get(bucket) ?? { total: 0, bots: 0 }),
    ...(withVisitors && { visitors: visitors.count(bucket) }),
  }))
}

const allFirst = new Uint16Array(maxPartRows)

function bucketsOf({ ids, positions }: PartColumn, edges: readonly number[]): PartColumn {
  const buckets = Array.from(ids, (minute) => bucketOf(minute, edges))
  // Most often all clicks of a part are in one bucket.
  const isOne = buckets.every((bucket) => bucket === buckets[0])
  return isOne ? { ids: buckets.slice(0, 1), positions: allFirst } : { ids: buckets, positions }
}

/** The number of the last edge at or before a time. */
function bucketOf(time: number, edges: readonly number[]): number {
  let [low, high] = [0, edges.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((edges[middle] as number) <= time) low = middle + 1
    else high = middle
  }
  return low - 1
}
