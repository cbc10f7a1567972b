import { setTimeout as sleep } from 'node:timers/promises'
import type { CutPredicate, Direction, ProxiedConnection, TcpProxy } from '@clicktally/testing/tcp-proxy.ts'
import { until } from '@clicktally/testing/until.ts'
import { checkAsOf } from '../as-of.ts'
import type { Links } from '../fault-system.ts'
import type { Scenario, Stage } from '../stage.ts'

/** Faults of the network between services and servers: stalled connections, latency, connections cut during a commit. */
export const scenario: Scenario = {
  number: 5,
  title: 'network stalled, slow, cut',
  async run(stage) {
    const silences = stage.short ? shortSilences : longSilences
    for (const { name, links, direction, forMs } of silences) await silence(stage, name, links, direction, forMs)
    if (!stage.short) await oneWithoutDatabase(stage)
    await slowNetwork(stage)
    await cutCommits(stage)
  },
}

interface Silence {
  /** The row's name. */
  readonly name: string
  readonly links: readonly (keyof Links)[]
  readonly direction: Direction | 'both'
  readonly forMs: number
}

/** Longer than two missed heartbeats of 10 s, and longer than either side waits on a stalled connection. */
const longMs = 60_000
const oneWayMs = 35_000
/** Longer than the 4 s that ingest waits for a confirm. */
const shortMs = 5_000

const longSilences: readonly Silence[] = [
  { name: 'ingest ↔ broker stalled', links: ['ingestToBroker'], direction: 'both', forMs: longMs },
  // Messages arrive but their confirms do not: each message is sent again.
  { name: 'broker → ingest stalled', links: ['ingestToBroker'], direction: 'toClient', forMs: oneWayMs },
  { name: 'processor ↔ broker stalled', links: ['processorToBroker'], direction: 'both', forMs: longMs },
  // Deliveries arrive but their acknowledgements do not: each message is redelivered.
  { name: 'processor → broker stalled', links: ['processorToBroker'], direction: 'toServer', forMs: oneWayMs },
  { name: 'processor ↔ database stalled', links: ['processorToDatabase'], direction: 'both', forMs: longMs },
  // Batches are committed, but the processor does not receive the result.
  { name: 'database → processor stalled', links: ['processorToDatabase'], direction: 'toClient', forMs: oneWayMs },
]

const shortSilences: readonly Silence[] = [
  { name: 'broker → ingest stalled', links: ['ingestToBroker'], direction: 'toClient', forMs: shortMs },
  {
    name: 'processor ↔ broker, database stalled',
    links: ['processorToBroker', 'processorToDatabase'],
    direction: 'both',
    forMs: 3_000,
  },
]

async function silence(
  stage: Stage,
  name: string,
  links: readonly (keyof Links)[],
  direction: Direction | 'both',
  forMs: number,
): Promise<void> {
  const proxies = links.map((link) => stage.system.links[link])
  await stage.row(name, async ({ broken, restored, recovered }) => {
    broken()
    for (const proxy of proxies) proxy.silence(direction)
    try {
      await sleep(forMs)
    } finally {
      for (const proxy of proxies) proxy.resume()
      restored()
    }
    await recovered()
  })
}

/** One processor holds messages that it cannot store, while the others continue. */
async function oneWithoutDatabase(stage: Stage): Promise<void> {
  const { system } = stage
  await stage.row('one processor ↔ database stalled', async ({ broken, restored, recovered, load }) => {
    const one = await system.addProcessor({ ownLinks: true })
    broken()
    one.links.processorToDatabase.silence()
    try {
      await sleep(othersNoticeMs)
      // asOf does not advance until the processor has returned its messages, after about 30 s.
      await checkAsOf(system, load)
    } finally {
      one.links.processorToDatabase.resume()
      restored()
      await recovered().finally(() => one.remove())
    }
  })
}

/** After this time without a progress report, the others treat a processor as gone. */
const othersNoticeMs = 6_000

async function slowNetwork(stage: Stage): Promise<void> {
  const latencyMs = 200
  await stage.row(`${latencyMs} ms latency on every link`, async ({ broken, restored, recovered }) => {
    const delayAll = (ms: number) => {
      for (const proxy of Object.values(stage.system.links)) (proxy as TcpProxy).delay(ms)
    }
    broken()
    delayAll(latencyMs)
    try {
      await sleep(stage.short ? 1_500 : 30_000)
    } finally {
      delayAll(0)
      restored()
    }
    await recovered()
  })
}

/** In the first bytes of a batch: COPY, or the prepared statement. */
const batchMarks = ['copy messages', 'count-clicks']
const beginsBatch = (chunk: Buffer) => batchMarks.some((mark) => chunk.includes(mark))
/** "Ready for query" without an open transaction: what was sent before is committed or has failed. */
const readyForQuery = Buffer.from('Z\0\0\0\x05I', 'latin1')

/**
 * Each cuts a connection to the database at a different point of a batch's commit. Only in the first case the batch is not
 * committed, but the processor cannot distinguish the cases.
 */
const moments = {
  'half of the statement sent': (proxy: TcpProxy) =>
    proxy.cutWhen('toServer', (chunk) => beginsBatch(chunk) && chunk.length >> 1, 1),
  'no answer': (proxy: TcpProxy) => cutAnswer(proxy, 0),
  'half of the answer': (proxy: TcpProxy) => cutAnswer(proxy, 5),
} as const

function cutAnswer(proxy: TcpProxy, afterBytes: number) {
  const asked = new WeakSet<ProxiedConnection>()
  const noteStatement: CutPredicate = (chunk, connection) => {
    if (beginsBatch(chunk)) asked.add(connection)
    return false
  }
  const noting = proxy.cutWhen('toServer', noteStatement)
  // Before the commit, the server only responds that it is ready for the COPY data.
  const isAnswer: CutPredicate = (chunk, connection) => {
    const isLast = chunk.subarray(-readyForQuery.length).equals(readyForQuery)
    return asked.has(connection) && isLast && afterBytes
  }
  const cutting = proxy.cutWhen('toClient', isAnswer, 1)
  return {
    get cuts() {
      return cutting.cuts
    },
    stop: () => {
      noting.stop()
      cutting.stop()
    },
  }
}

async function cutCommits(stage: Stage): Promise<void> {
  const proxy = stage.system.links.processorToDatabase
  const rounds = stage.short ? 1 : 8
  await stage.row('connection cut during a commit', async ({ broken, restored, recovered }) => {
    for (let round = 0; round < rounds; round += 1) {
      for (const [moment, cutAt] of Object.entries(moments)) {
        stage.setStatus(`commit ${round + 1} cut: ${moment}`)
        const cutting = cutAt(proxy)
        try {
          await until(() => cutting.cuts > 0, `a batch to be cut (${moment})`)
        } finally {
          cutting.stop()
        }
        broken()
        restored()
        await recovered()
      }
    }
  })
}
