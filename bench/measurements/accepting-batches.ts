import { AcceptingRounds } from '../accepting-rounds.ts'
import { acceptingCpu, type TurnFigures } from '../accepting-turn.ts'
import { startDesigns } from '../design-start.ts'
import { clicktally, designNames, noBroker } from '../designs.ts'
import { samplesText } from '../figure-text.ts'
import { LoadGenerator } from '../load-generator.ts'
import type { Measurement, Section, Stage } from '../measurement.ts'
import type { AcceptingScale } from './accepting.ts'

const clicksPerRequest = 100
const few = 16
const more = 64

const scales = {
  full: {
    loads: [{ connections: few }, { connections: more }],
    rounds: 11,
    roundsUntilCounted: 4,
    measuredMs: 1_000,
    firstWarmUpMs: 3_000,
    warmUpMs: 200,
  },
  short: {
    loads: [{ connections: few }],
    rounds: 3,
    roundsUntilCounted: 3,
    measuredMs: 800,
    firstWarmUpMs: 1_500,
    warmUpMs: 200,
  },
} as const satisfies Record<string, AcceptingScale>

/** Clicktally beside the same route with no broker, a hundred clicks a request. */
export const acceptingBatches: Measurement = {
  name: 'accepting-batches',
  title: 'accepting, batches of 100',
  run: async (stage) => await measureBatches(stage, stage.short ? scales.short : scales.full),
}

const columns = [
  { name: 'service + RabbitMQ', unit: 'CPU s/M', figure: acceptingCpu },
  { name: 'accepted', unit: 'clicks/s', figure: ({ perSecond }) => perSecond },
  { name: 'service', unit: 'CPU s/M', figure: ({ service }) => service },
  { name: 'RabbitMQ', unit: 'CPU s/M', figure: ({ rabbitmq }) => rabbitmq },
  { name: 'wrk', unit: 'CPU s/M', figure: ({ generator }) => generator },
  { name: 'memory', unit: 'MB', figure: ({ memoryMb }) => memoryMb },
] as const satisfies readonly { name: string; unit: string; figure: (turn: TurnFigures) => number | undefined }[]

async function measureBatches(stage: Stage, scale: AcceptingScale): Promise<Section> {
  stage.progress('the system starts', 0)
  const generator = await LoadGenerator.find(stage.signal)
  const system = await stage.system()
  const started = await startDesigns([() => clicktally(system), () => noBroker(stage)])
  try {
    const { designs } = started
    const rounds = await AcceptingRounds.play({ stage, system, generator, designs, clicksPerRequest, ...scale })
    return {
      title: 'Accepting, batches of 100',
      about: [
        `\`POST /v1/events/batch\` with ${clicksPerRequest} clicks a request, against the same route with no broker behind it: what reading,
checking and answering a batch costs alone. Load, turns and the oracle are as above; here too no processor runs while a turn lasts.`,
      ],
      tables: scale.loads.map(({ connections }) => ({
        caption: `${connections} connections`,
        of: 'design',
        columns: columns.map(({ name, unit }) => ({ name, unit })),
        rows: designs.flatMap(
          ({ name }) =>
            rounds.row(
              name,
              connections,
              columns.map(({ figure }) => figure),
            ) ?? [],
        ),
      })),
      verdicts: [
        {
          target: 'cpuBatches',
          samples: rounds.ratios(designNames.clicktally, designNames.noBroker, few, acceptingCpu),
        },
        {
          target: 'acceptingBatches',
          samples: rounds.ratios(designNames.clicktally, designNames.noBroker, few),
          note: `RabbitMQ takes cores for itself: were that all that is added to the limit, ${samplesText(withRabbitmqAlone(rounds))} × would be left of it where cores are what is scarce`,
        },
      ],
      voided: rounds.voided,
    }
  } finally {
    await started.stop()
  }
}

/** Of the limit's rate, by CPU: what is left when RabbitMQ does its part of our turn, and ingest does it for nothing. */
function withRabbitmqAlone(rounds: AcceptingRounds): number[] {
  const limit = rounds.figures(designNames.noBroker, few, ({ service, generator }) => service + generator)
  const rabbitmq = rounds.figures(designNames.clicktally, few, (turn) => turn.rabbitmq)
  return limit.flatMap((cpu, round) => {
    const more = rabbitmq[round]
    return cpu === undefined || more === undefined ? [] : [cpu / (cpu + more)]
  })
}
