import { setTimeout as sleep } from 'node:timers/promises'
import type { FaultSystem } from '../fault-system.ts'
import type { Breaking, Scenario, Stage } from '../stage.ts'

export const scenario: Scenario = {
  number: 1,
  title: 'SIGKILL of ingest, processor and api',
  async run(stage) {
    const { system, short } = stage
    // Also through nginx, which retries a request that the killed ingest did not answer at the other one.
    const load = { endpoints: [...system.endpoints, system.nginx] }
    const rounds = short ? 1 : 3
    const inTurn = short ? ['ingest-1', 'processor-1', 'api'] : servicesOf(system)
    await stage.row('SIGKILL of each service in turn', (breaking) => killInTurn(stage, breaking, inTurn, rounds), {
      load,
    })
    if (short) return
    await stage.row('SIGKILL of services at random, 34 times', (breaking) => killAtRandom(stage, breaking, 34), {
      load,
    })
  },
}

function servicesOf(system: FaultSystem): string[] {
  return [...system.ingests, ...system.processors, 'api']
}

async function killInTurn(stage: Stage, breaking: Breaking, names: string[], rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    for (const name of names) {
      breaking.broken()
      await stage.system.kill(name)
      breaking.restored()
      await breaking.recovered()
    }
  }
}

/** Kills any running service, even if the last one is not back yet. At times no ingest or no processor is running. */
async function killAtRandom({ system }: Stage, breaking: Breaking, kills: number): Promise<void> {
  const names = servicesOf(system)
  breaking.broken()
  for (let kill = 0; kill < kills; ) {
    const running = names.filter((name) => system.program(name).state === 'running')
    const name = running[Math.floor(Math.random() * running.length)]
    if (name !== undefined && system.program(name).signal('SIGKILL')) kill += 1
    await sleep(300 + Math.random() * 1_200)
  }
  for (const name of names) await system.ready(name)
  breaking.restored()
}
