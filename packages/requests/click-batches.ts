import { batchLimits } from '@clicktally/event/click-event.ts'

/** Clicks of one request. `body` is NDJSON. */
export interface ClickBatch {
  readonly count: number
  readonly body: string
}

/** Groups clicks, in order, into batches within ingest's limits. */
export async function* batchClicks(clicks: AsyncIterable<object>): AsyncGenerator<ClickBatch> {
  let lines: string[] = []
  let bytes = 0
  for await (const click of clicks) {
    const line = `${JSON.stringify(click)}\n`
    const lineBytes = Buffer.byteLength(line)
    if (lines.length === batchLimits.events || (lines.length > 0 && bytes + lineBytes > batchLimits.bodyBytes)) {
      yield { count: lines.length, body: lines.join('') }
      lines = []
      bytes = 0
    }
    lines.push(line)
    bytes += lineBytes
  }
  if (lines.length > 0) yield { count: lines.length, body: lines.join('') }
}
