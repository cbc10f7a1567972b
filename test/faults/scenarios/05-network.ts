import { setTimeout as sleep } from 'node:timers/promises'
import type { CutPredicate, Direction, ProxiedConnection, TcpProxy } from '@clicktally/testing/tcp-proxy.ts'
import { until } from '@clicktally/testing/until.ts'
import { checkAsOf } from '../as-of.ts'
import type { Links } from '../fault-system.ts'
import type { Scenario, Stage } from '../stage.ts'

/** The network between the services and their servers: nothing closes, nothing arrives; slow; cut at the worst moment. */
export const scenario: Scenario = {
  number: 5,
  title: 'the network',
  async run(stage) {
    const silences = stage.short ? shortSilences : longSilences
    for (const { name, links, direction, forMs } of silences) await silence(stage, name, links, direction, forMs)
    if (!stage.short) await oneWithoutDatabase(stage)
    await slowNetwork(stage)
    await cutCommits(stage)
  },
}

interface Silence {
  /** Of the row. */
  readonly name: string
  readonly links: readonly (keyof Links)[]
  readonly direction: Direction | 'both'
  readonly forMs: number
}

/** Beyond two missed heartbeats of 10 s, and beyond what a silent connection may be waited for by either side. */
const longMs = 60_000
const oneWayMs = 35_000
/** Beyond the 4 s that ingest waits for a confirm. */
const shortMs = 5_000

const longSilences: readonly Silence[] = [
  { name: 'ingest – broker silent', links: ['ingestToBroker'], direction: 'both', forMs: longMs },
  // Messages arrive, their confirms do not: each is sent again.
  { name: 'broker → ingest silent', links: ['ingestToBroker'], direction: 'toClient', forMs: oneWayMs },
  { name: 'processor – broker silent', links: ['processorToBroker'], direction: 'both', forMs: longMs },
  // Deliveries arrive, their acknowledgements do not: all is delivered again.
  { name: 'processor → broker silent', links: ['processorToBroker'], direction: 'toServer', forMs: oneWayMs },
  { name: 'processor – database silent', links: ['processorToDatabase'], direction: 'both', forMs: longMs },
  // Batches are committed, and nobody learns of it.
  { name: 'database → processor silent', links: ['processorToDatabase'], direction: 'toClient', forMs: oneWayMs },
]

const shortSilences: readonly Silence[] = [
  { name: 'broker → ingest silent', links: ['ingestToBroker'], direction: 'toClient', forMs: shortMs },
  {
    name: 'processor – broker, database silent',
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

/** One processor holds messages that it can't bring to the database, while the others go on. */
async function oneWithoutDatabase(stage: Stage): Promise<void> {
  const { system } = stage
  await stage.row('one processor – database silent', async ({ broken, restored, recovered, load }) => {
    const one = await system.addProcessor({ ownLinks: true })
    broken()
    one.links.processorToDatabase.silence()
    try {
      await sleep(othersNoticeMs)
      // It stands still until the processor has given back what it holds, after some 30 s.
      await checkAsOf(system, load, 60_000)
    } finally {
      one.links.processorToDatabase.resume()
      restored()
      await recovered().finally(() => one.remove())
    }
  })
}

/** After this time the others take a processor for gone that says nothing of its progress. */
const othersNoticeMs = 6_000

async function slowNetwork(stage: Stage): Promise<void> {
  const latencyMs = 200
  await stage.row(`${latencyMs} ms of latency on every link`, async ({ broken, restored, recovered }) => {
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

/** In the first bytes of what goes to the server for a batch: as copies, or as the prepared statement. */
const batchMarks = ['copy messages', 'count-clicks']
const beginsBatch = (chunk: Buffer) => batchMarks.some((mark) => chunk.includes(mark))
/** "Ready for query", and no transaction open: what was sent before is committed, or has failed. */
const readyForQuery = Buffer.from('Z\0\0\0\x05I', 'latin1')

/**
 * Each cuts a connection to the database at another moment of a batch's commit. In the first nothing was committed, in the
 * others all was, but the processor can't tell them apart.
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
  // Before the commit the server only says that it is ready to take the copies' data.
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
  await stage.row('cut in the middle of a commit', async ({ broken, restored, recovered }) => {
    for (let round = 0; round < rounds; round += 1) {
      for (const [moment, cutAt] of Object.entries(moments)) {
        stage.say(`commit ${round + 1} cut: ${moment}`)
        const cutting = cutAt(proxy)
        try {
          await until(() => cutting.cuts > 0, 20_000, `a batch to be cut (${moment})`)
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
