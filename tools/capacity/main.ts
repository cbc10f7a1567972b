import { renderTable } from '@clicktally/terminal/table.ts'
import { Command, InvalidArgumentError } from 'commander'
import { plans } from './plan.ts'
import { simulateDay } from './simulation.ts'

const number = (text: string) => {
  const value = Number(text)
  if (value > 0 && Number.isFinite(value)) return value
  throw new InvalidArgumentError('Expected a number above 0.')
}

const { base, clicks } = new Command('capacity')
  .description('Simulates a day at 1, 10, 100 and 1,000 times a load, and names the part that gives out first.')
  .option('--base <clicks/s>', 'the average of a day', number, 200)
  .option('--clicks <number>', 'clicks in a request, on average', number, 1)
  .parse()
  .opts<{ base: number; clicks: number }>()

const columns = [
  { title: 'installation', align: 'left' },
  { title: 'clicks/s', align: 'right' },
  { title: 'refused', align: 'right' },
  { title: 'longest lag', align: 'right' },
  { title: 'tightest part', align: 'left' },
  { title: 'used at most', align: 'right' },
  { title: 'disk', align: 'right' },
] as const
const rows = plans.flatMap((plan) =>
  [1, 10, 100, 1_000].map((times) => {
    const load = { clicksPerSecond: base * times, clicksPerRequest: clicks }
    const { refused, longestLagSeconds, peak, tightest } = simulateDay(plan, load)
    return [
      plan.name,
      load.clicksPerSecond.toLocaleString('en'),
      `${(refused * 100).toFixed(1)} %`,
      `${Math.round(longestLagSeconds).toLocaleString('en')} s`,
      tightest,
      `${Math.round(peak[tightest] * 100)} %`,
      `${Math.round(peak.disk * 100)} %`,
    ]
  }),
)
for (const line of renderTable([...columns], rows)) console.log(line)
