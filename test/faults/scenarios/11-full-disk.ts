import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '@clicktally/testing/until.ts'
import { onSmallDisk, whyNoSmallDisk } from '../small-disk.ts'
import type { Scenario, Stage } from '../stage.ts'

/** Fills real disks completely, unlike scenario 6, which only raises alarms. */
export const scenario: Scenario = {
  number: 11,
  title: 'full disks',
  async run(stage) {
    const reason = await whyNoSmallDisk()
    if (reason !== undefined) {
      stage.note(`Full disks were skipped: ${reason}.`)
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
    await stage.row('RabbitMQ disk full', async ({ broken, restored, recovered }) => {
      for (let round = 0; round < rounds; round += 1) {
        const { restarts } = broker
        // The queue must contain clicks, since a full disk could lose them.
        const unlock = await lockClicks(stage)
        try {
          await sleep(stage.short ? 1_000 : 5_000)
          broken()
          await disk.fill()
          await until(() => broker.restarts > restarts, 'the broker to be killed before its disk is full')
          await sleep(stage.short ? 2_000 : 20_000)
        } finally {
          await unlock()
          await disk.free()
          restored()
        }
        const { acceptedAgainMs } = await recovered()
        stage.promise('accepting resumes after a full RabbitMQ disk has space', acceptingAgainWithinMs, acceptedAgainMs)
      }
    })
  })
}

async function fullDatabaseDisk(stage: Stage): Promise<void> {
  const { system } = stage
  const errors = async () =>
    (await readFile(join(system.system.logsDir, 'postgres.log'), 'utf8')).split('No space left')
  await onSmallDisk(system, 'postgres', 100, async (disk) => {
    await stage.row('PostgreSQL disk full', async ({ broken, restored, recovered }) => {
      for (let round = 0; round < rounds; round += 1) {
        const before = (await errors()).length
        broken()
        try {
          await disk.fill()
          await until(async () => (await errors()).length > before, 'PostgreSQL to log that its disk is full')
          await sleep(stage.short ? 2_000 : 20_000)
        } finally {
          await disk.free()
          restored()
        }
        const { countedAgainMs } = await recovered()
        stage.promise('counting resumes after a full PostgreSQL disk has space', acceptingAgainWithinMs, countedAgainMs)
      }
    })
  })
}

/** Blocks the processors from storing clicks. The returned function unblocks them. */
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
