import { LoadGenerator } from '@clicktally/load/load-generator.ts'
import { cpuSeconds } from '@clicktally/processes/cpu-time.ts'
import { TcpProxy } from '@clicktally/testing/tcp-proxy.ts'
import { ClickOracle } from '../accepting/click-oracle.ts'
import type { Measurement, Section, Stage } from '../measurement.ts'
import { tableOfTurns } from '../report/figure-table.ts'
import { Turns } from '../report/turns.ts'
import type { BenchSystem } from '../system/bench-system.ts'
import { type RunningProgram, startService } from '../system/programs.ts'

const latencyMs = 10
const counts = [1, 2, 4] as const
/** For each ingest. With the latency between, they wait most of the time, and the cores of this machine are not the limit. */
const connections = 32
const maxRounds = 3

interface IngestTurn {
  readonly perSecond: number
  /** Of ingests, RabbitMQ and the load generators, in cores. */
  readonly cores: number
}

/** One, two and four ingests, as far from the broker as another data centre. */
export const ingests: Measurement = {
  name: 'ingests',
  title: 'ingests with a 20 ms round trip to the broker',
  run: measureIngests,
}

async function measureIngests(stage: Stage): Promise<Section> {
  const system = await stage.system()
  const generator = await LoadGenerator.find(stage.signal)
  const oracle = await ClickOracle.start(system)
  const { hostname, port } = new URL(system.amqpUrl)
  const proxy = await TcpProxy.open({ host: hostname, port: Number(port) })
  proxy.delay(latencyMs)
  const running: RunningProgram[] = []
  const turns = new Turns<IngestTurn>()
  const voided: string[] = []
  try {
    for (let number = 1; number <= Math.max(...counts); number += 1) {
      const amqpUrl = Object.assign(new URL(system.amqpUrl), { port: String(proxy.port) }).href
      const far = { amqpUrl, secretsDir: system.secretsDir }
      running.push(await startService({ service: 'ingest', name: `far-ingest-${number}`, system: far, stage }))
    }
    const rounds = stage.short ? 1 : Math.min(stage.rounds, maxRounds)
    for (let round = 0; round < rounds; round += 1) {
      for (const [index, count] of counts.entries()) {
        stage.progress(nameOf(count), (round + index / counts.length) / rounds)
        const turn = await loadTurn({ stage, system, generator, oracle }, running.slice(0, count), round + 1)
        turns.add(nameOf(count), turn)
      }
      const wrong = await oracle.check()
      if (wrong !== undefined) voided.push(wrong)
    }
  } finally {
    for (const { program } of running) await program.stop()
    await proxy.close()
  }
  return sectionOf(turns, voided)
}

async function loadTurn(
  {
    stage,
    system,
    generator,
    oracle,
  }: { stage: Stage; system: BenchSystem; generator: LoadGenerator; oracle: ClickOracle },
  ingests: readonly RunningProgram[],
  seed: number,
): Promise<IngestTurn> {
  const { dir, signal } = stage
  const cpu = () =>
    cpuSeconds(ingests.flatMap(({ program }) => program.pid ?? [])) + (system.cpuOf(['rabbitmq'])[0] ?? 0)
  const before = cpu()
  const startedAtMs = performance.now()
  const results = await Promise.all(
    ingests.map(({ url }, index) =>
      generator.run({
        ...{ url, key: system.ownerKey, connections, dir, signal },
        content: { kind: 'clicks', clicksPerRequest: 1, seed: seed * 100 + index },
        ...{ warmUpMs: stage.short ? 500 : 1_000, measuredMs: stage.short ? 1_500 : 4_000 },
      }),
    ),
  )
  const seconds = (performance.now() - startedAtMs) / 1_000
  for (const { succeeded, sent } of results) oracle.add(succeeded, sent)
  const generators = results.reduce((sum, result) => sum + result.cpuSeconds, 0)
  return {
    perSecond: results.reduce(
      (sum, { perSecond, succeeded, sent }) => sum + perSecond * (succeeded / Math.max(1, sent)),
      0,
    ),
    cores: (cpu() - before + generators) / seconds,
  }
}

function nameOf(count: number): string {
  return `${count} ${count === 1 ? 'ingest' : 'ingests'}`
}

function sectionOf(turns: Turns<IngestTurn>, voided: readonly string[]): Section {
  const rate = ({ perSecond }: IngestTurn) => perSecond
  const table = tableOfTurns<IngestTurn>(
    'what accepts',
    [
      { name: 'accepted', unit: 'requests/s', figure: rate },
      { name: 'relative to one ingest', unit: '×', figure: () => undefined },
      { name: 'CPU of ingests, RabbitMQ and wrk', unit: 'cores', figure: ({ cores }) => cores },
    ],
    counts.map((count) => ({ name: nameOf(count), turns: turns.of(nameOf(count)), voided: undefined })),
  )
  const rows = table.rows.map(({ cells: [accepted, , cores], ...row }, index) => {
    const count = counts[index] ?? 1
    return { ...row, cells: [accepted, count === 1 ? undefined : turns.ratios(nameOf(count), nameOf(1), rate), cores] }
  })
  return {
    title: 'More ingests',
    about: [
      `A proxy between the ingests and RabbitMQ delays every byte by ${latencyMs} ms in each direction. One, two and four ingests take turns; each gets
single clicks over ${connections} connections of its own, without nginx. The latency dominates, as intended: the figures show whether ingests wait for each
other. Every click that was answered 202 was counted.`,
    ],
    tables: [{ ...table, rows }],
    verdicts: [],
    voided: [...voided],
  }
}
