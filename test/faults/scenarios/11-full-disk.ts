import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '@clicktally/testing/until.ts'
import { onSmallDisk, whyNoSmallDisk } from '../small-disk.ts'
import type { Scenario, Stage } from '../stage.ts'

/** No alarm that somebody sets, but a disk without a free byte; once, and again. */
export const scenario: Scenario = {
  number: 11,
  title: 'a disk without a free byte, and room on it again',
  async run(stage) {
    const reason = await whyNoSmallDisk()
    if (reason !== undefined) {
      stage.note(`A full disk was not played: ${reason}.`)
      return
    }
    await fullBrokerDisk(stage)
    await fullDatabaseDisk(stage)
  },
}

const rounds = 2
const acceptingAgainWithinMs = 30_000

async function fullBrokerDisk(stage: Stage): Promise<void> {
  const { system } = stage
  const broker = system.program('rabbitmq')
  await onSmallDisk(system, 'rabbitmq', 900, async (disk) => {
    await stage.row('the disk of RabbitMQ is full', async ({ broken, restored, recovered }) => {
      for (let round = 0; round < rounds; round += 1) {
        const { restarts } = broker
        // With clicks in the queue: those are what a full disk could lose.
        const unlock = await lockClicks(stage)
        try {
          await sleep(stage.short ? 1_000 : 5_000)
          broken()
          await disk.fill()
          await until(() => broker.restarts > restarts, 10_000, 'the broker to be killed before its disk is full')
          await sleep(stage.short ? 2_000 : 20_000)
        } finally {
          await unlock()
          await disk.free()
          restored()
        }
        const { acceptedAgainMs } = await recovered()
        stage.promise('accepting again when a full disk of RabbitMQ has room', acceptingAgainWithinMs, acceptedAgainMs)
      }
    })
  })
}

async function fullDatabaseDisk(stage: Stage): Promise<void> {
  const { system } = stage
  const errors = async () =>
    (await readFile(join(system.system.logsDir, 'postgres.log'), 'utf8')).split('No space left')
  await onSmallDisk(system, 'postgres', 100, async (disk) => {
    await stage.row('the disk of PostgreSQL is full', async ({ broken, restored, recovered }) => {
      for (let round = 0; round < rounds; round += 1) {
        const before = (await errors()).length
        broken()
        try {
          await disk.fill()
          await until(async () => (await errors()).length > before, 60_000, 'PostgreSQL to say that its disk is full')
          await sleep(stage.short ? 2_000 : 20_000)
        } finally {
          await disk.free()
          restored()
        }
        const { countedAgainMs } = await recovered()
        stage.promise('counting again when a full disk of PostgreSQL has room', acceptingAgainWithinMs, countedAgainMs)
      }
    })
  })
}

/** Keeps the processors from storing clicks; what is returned lets them. */
async function lockClicks({ system }: Stage): Promise<() => Promise<void>> {
  const client = await system.pool.connect()
  await client.query('begin')
  await client.query('set local idle_in_transaction_session_timeout = 0')
  await client.query('lock table clicks in share row exclusive mode')
  return async () => {
    try {
      await client.query('rollback')
    } finally {
      client.release(true)
    }
  }
}
