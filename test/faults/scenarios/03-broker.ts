import { setTimeout as sleep } from 'node:timers/promises'
import { topology } from '@clicktally/broker/topology.ts'
import { settle } from '@clicktally/database/settling.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { until } from '@clicktally/testing/until.ts'
import type { Breaking, Scenario, Stage } from '../stage.ts'

export const scenario: Scenario = {
  number: 3,
  title: 'RabbitMQ restarted, killed, stopped; connections closed, consumers cancelled, queue deleted',
  async run(stage) {
    const { short } = stage
    // A broker takes about ten seconds to stop and start, so the short form only has the harder case.
    if (!short) await stage.row('RabbitMQ restarted', (breaking) => restart(stage, breaking, 3, 0))
    await stage.row('RabbitMQ: SIGKILL', (breaking) => kill(stage, breaking, short ? 1 : 3))
    if (!short) await stage.row('RabbitMQ stopped for a minute', (breaking) => restart(stage, breaking, 1, 60_000))
    await stage.row('RabbitMQ closes all connections', (breaking) => closeConnections(stage, breaking, short ? 1 : 15))
    await stage.row('consumers cancelled, queue deleted', (breaking) => deleteQueue(stage, breaking, short ? 1 : 5))
    stage.note(
      'The queue is deleted while it is empty and the load is paused, since deleting a queue also deletes its clicks. The ' +
        'load resumes immediately; a processor declares the queue again.',
    )
  },
}

async function restart(stage: Stage, breaking: Breaking, times: number, stoppedForMs: number): Promise<void> {
  const broker = stage.system.program('rabbitmq')
  const records = stoppedForMs === 0
  for (let round = 1; round <= times; round += 1) {
    const record = async (moment: string) => {
      if (records && round === 1) await stage.recordBalance(moment)
    }
    await record('before a restart of RabbitMQ under load')
    breaking.broken()
    const stopped = broker.stop()
    await record('while RabbitMQ is stopping')
    await stopped
    await record('while RabbitMQ is stopped')
    await sleep(stoppedForMs)
    await broker.start()
    breaking.restored()
    const { brokenForMs, acceptedAgainMs, countedAgainMs } = await breaking.recovered()
    await record('after clicks are accepted and counted again')
    const what = stoppedForMs === 0 ? 'after a graceful restart of RabbitMQ' : 'after RabbitMQ was stopped for a minute'
    stage.promise(`accepting resumes ${what}, from when it responds`, 10_000, acceptedAgainMs)
    if (stoppedForMs === 0) {
      stage.promise(`accepting resumes ${what}, from the stop`, undefined, brokenForMs + acceptedAgainMs)
    }
    stage.promise(`counting resumes ${what}, from when it responds`, undefined, countedAgainMs)
  }
}

async function kill(stage: Stage, breaking: Breaking, times: number): Promise<void> {
  for (let round = 0; round < times; round += 1) {
    breaking.broken()
    await stage.system.kill('rabbitmq')
    breaking.restored()
    const { brokenForMs, acceptedAgainMs } = await breaking.recovered()
    stage.promise('accepting resumes after RabbitMQ was killed, from when it responds', undefined, acceptedAgainMs)
    stage.promise('accepting resumes after RabbitMQ was killed, from the kill', 30_000, brokenForMs + acceptedAgainMs)
  }
}

async function closeConnections({ system }: Stage, breaking: Breaking, times: number): Promise<void> {
  const services = system.ingests.length + system.processors.length
  const seen = new Set<string>()
  for (let round = 0; round < times; round += 1) {
    let connections: string[] = []
    // The broker's list is some seconds old: wait until it shows the connections opened after the last round.
    const isComplete = async () => {
      const listed = (await system.manage('GET', '/connections')) as { name: string; user: string }[]
      connections = listed
        .filter(({ name, user }) => (user === 'ingest' || user === 'processor') && !seen.has(name))
        .map(({ name }) => name)
      return connections.length >= services
    }
    await until(isComplete, 'the connections of every service in the list of the broker', 200)
    for (const name of connections) seen.add(name)
    breaking.broken()
    const outcomes = await Promise.allSettled(
      connections.map((name) => system.manage('DELETE', `/connections/${encodeURIComponent(name)}`)),
    )
    breaking.restored()
    // A connection may have closed by itself in the meantime.
    const closed = outcomes.filter(({ status }) => status === 'fulfilled').length
    if (closed < services) throw new Error(`only ${closed} connections were closed`)
    await breaking.recovered()
  }
}

async function deleteQueue({ system }: Stage, breaking: Breaking, times: number): Promise<void> {
  for (let round = 0; round < times; round += 1) {
    await breaking.load.pause()
    await settle(system, patience.timeout)
    breaking.broken()
    const { messageCount } = await system.withChannel((channel) => channel.deleteQueue(topology.queue))
    breaking.restored()
    breaking.load.resume()
    if (messageCount > 0) throw new Error(`invalid test: the deleted queue contained ${messageCount} messages`)
    await breaking.recovered()
  }
}
