import { join } from 'node:path'
import { ChildTask } from './child-task.ts'
import { writeCopyFile } from './copy-file.ts'
import { readCountedClicks, voidReason } from './counted-clicks.ts'
import { withClient } from './own-database.ts'
import type { CopyResult, CopySettings } from './peers/copy.ts'
import type { RowByRowResult, RowByRowSettings } from './peers/row-by-row.ts'
import { cpuSeconds } from './process-cpu.ts'
import { type DrainStage, drainQueue, untilWrittenOut } from './queue-drain.ts'
import { fillQueue, withChannel } from './queue-filling.ts'
import { clicksIn, makeClicks, messagesOf, type QueueMessage, withRepeats } from './queue-messages.ts'

/** How many clicks each of those who are compared gets. */
export interface StoringAmounts {
  readonly main: number
  readonly variant: number
  readonly rowByRow: number
}

export const storingNames = {
  clicktally: 'Clicktally, one processor',
  copy: 'COPY and nothing else',
  rowByRow: 'row by row',
  repeats: 'Clicktally, 30 % sent twice',
  oneTarget: 'Clicktally, one single target',
} as const
export type StoringName = keyof typeof storingNames

/** What one turn found. CPU seconds are per million clicks. */
export interface StoringTurn {
  readonly clicksPerSecond: number
  /** Of the processor, or of whoever stores in its place. */
  readonly ownCpu?: number
  readonly postgresCpu?: number
  readonly rabbitmqCpu?: number
  /** Additions to counters, per click, that were not folded when the last click was stored. */
  readonly unfolded?: number
  readonly voided: string | undefined
}

const rowByRowQueue = 'bench.row-by-row'
const hourMs = 3_600_000
const dayMs = 86_400_000
const repeatedShare = 0.3
const copyWithinMs = 120_000
const rowByRowWithinMs = 180_000

/** What each of those who are compared does when it is its turn, always with the same clicks. */
export class StoringTurns {
  readonly #stage: DrainStage
  readonly #nowMs = Date.now()
  readonly #copyPath: string
  readonly #main: readonly QueueMessage[]
  readonly #repeats: readonly QueueMessage[]
  /** Different clicks in them. */
  readonly #unrepeated: number
  readonly #oneTarget: readonly QueueMessage[]
  readonly #rowByRow: readonly QueueMessage[]

  private constructor(stage: DrainStage, { main, variant, rowByRow }: StoringAmounts) {
    this.#stage = stage
    this.#copyPath = join(stage.stage.dir, 'storing.copy')
    const lastHour = { fromMs: this.#nowMs - hourMs, toMs: this.#nowMs }
    this.#unrepeated = Math.round(variant * (1 - repeatedShare))
    const unrepeated = makeClicks({ clicks: this.#unrepeated, seed: 2, ...lastHour })
    this.#main = [...messagesOf(makeClicks({ clicks: main, seed: 1, ...lastHour }))]
    this.#repeats = [...withRepeats(messagesOf(unrepeated), repeatedShare)]
    this.#oneTarget = [...messagesOf(makeClicks({ clicks: variant, seed: 3, ...lastHour, target: '/' }))]
    this.#rowByRow = this.#main.slice(0, Math.max(1, Math.round((rowByRow / main) * this.#main.length)))
  }

  /** Makes the clicks. */
  static async prepare(stage: DrainStage, amounts: StoringAmounts): Promise<StoringTurns> {
    const turns = new StoringTurns(stage, amounts)
    await writeCopyFile(turns.#copyPath, turns.#main)
    return turns
  }

  async play(name: StoringName, onShare: (share: number) => void): Promise<StoringTurn> {
    switch (name) {
      case 'clicktally':
        return await this.#drain(name, this.#main, onShare)
      case 'repeats':
        return await this.#drain(name, this.#repeats, onShare, this.#unrepeated)
      case 'oneTarget':
        return await this.#drain(name, this.#oneTarget, onShare)
      case 'copy':
        return await this.#copy()
      case 'rowByRow':
        return await this.#storeRowByRow()
    }
  }

  async #drain(
    name: StoringName,
    messages: readonly QueueMessage[],
    onShare: (share: number) => void,
    distinct = clicksIn(messages),
  ): Promise<StoringTurn> {
    const clicks = clicksIn(messages)
    const turn = { what: storingNames[name], messages, clicks, distinct, processors: 1, onShare }
    const { clicksPerSecond, cpu, unfolded, voided } = await drainQueue(this.#stage, turn)
    return {
      clicksPerSecond,
      ownCpu: cpu.processor,
      postgresCpu: cpu.postgres,
      rabbitmqCpu: cpu.rabbitmq,
      unfolded: unfolded / clicks,
      voided,
    }
  }

  async #copy(): Promise<StoringTurn> {
    const { databases, system, stage } = this.#stage
    const clicks = clicksIn(this.#main)
    const database = await databases.create()
    try {
      await this.#makePartitions(database.ownerUrl)
      await untilWrittenOut(database)
      const settings = { databaseUrl: database.ownerUrl, path: this.#copyPath } satisfies CopySettings
      const before = cpuSeconds(system.processesOf('postgres'))
      const copy = ChildTask.start<CopyResult>('peers/copy.ts', settings, stage.signal)
      const { seconds, ownCpuSeconds } = await copy.result(copyWithinMs)
      const postgres = cpuSeconds(system.processesOf('postgres')) - before
      const { stored } = await withClient(database.ownerUrl, readCountedClicks)
      return {
        clicksPerSecond: clicks / seconds,
        ownCpu: (ownCpuSeconds / clicks) * 1e6,
        postgresCpu: (postgres / clicks) * 1e6,
        // It counts nothing.
        voided: voidReason(storingNames.copy, clicks, { stored, counted: stored }),
      }
    } finally {
      await database.drop()
    }
  }

  async #storeRowByRow(): Promise<StoringTurn> {
    const { databases, system, stage } = this.#stage
    const { amqpUrl } = system
    const clicks = clicksIn(this.#rowByRow)
    const database = await databases.create()
    try {
      await this.#makePartitions(database.ownerUrl)
      await fillQueue(rowByRowQueue, this.#rowByRow, { amqpUrl, signal: stage.signal })
      await untilWrittenOut(database)
      const settings: RowByRowSettings = { amqpUrl, queue: rowByRowQueue, databaseUrl: database.ownerUrl, clicks }
      const peer = ChildTask.start<RowByRowResult>('peers/row-by-row.ts', settings, stage.signal)
      const { seconds, counted } = await peer.result(rowByRowWithinMs)
      const { stored } = await withClient(database.ownerUrl, readCountedClicks)
      const voided = voidReason(storingNames.rowByRow, clicks, { stored, counted })
      return { clicksPerSecond: clicks / seconds, voided }
    } finally {
      await withChannel(amqpUrl, (channel) => channel.deleteQueue(rowByRowQueue))
      await database.drop()
    }
  }

  /** Those that a processor would make before it takes anything. */
  async #makePartitions(ownerUrl: string): Promise<void> {
    await withClient(ownerUrl, async (client) => {
      for (const timeMs of [this.#nowMs - dayMs, this.#nowMs])
        await client.query('select create_click_partition($1::date)', [new Date(timeMs).toISOString().slice(0, 10)])
    })
  }
}
