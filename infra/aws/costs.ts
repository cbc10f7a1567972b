import { serviceNames } from '@clicktally/system/parts.ts'
import { type Size, type SizeName, sizes, type Tasks } from './settings.ts'

/**
 * US dollars, on demand, region us-east-1. Written down on 2026-11-29 from memory of AWS's public lists, and not compared with them: correct
 * them here, then copy the output of `npm run aws -- costs` into docs/aws.md.
 */
const prices = {
  vcpuHour: 0.03238,
  memoryGibHour: 0.00356,
  /** Part of the price of Fargate that Spot capacity costs, on average. */
  spotShare: 0.35,
  /** Aurora I/O-Optimized. */
  databaseHour: { 't4g.medium': 0.095, 'r8g.large': 0.359, 'r8g.4xlarge': 2.872 },
  databaseGibMonth: 0.225,
  brokerHour: { 'mq.m7g.medium': 0.1224, 'mq.m7g.large': 0.2448, 'mq.m7g.2xlarge': 0.9792 },
  brokerGibMonth: 0.1,
  loadBalancerHour: 0.0225,
  loadBalancerUnitHour: 0.008,
  natHour: 0.045,
  firewallMonth: 7,
  firewallMillionRequests: 0.6,
  edgeMillionRequests: 1,
  logsGib: 0.5,
  /** Keys, secrets, alarms, the dashboard, metrics of containers. */
  operationsMonth: 30,
  serverHour: 0.0336,
  serverGibMonth: 0.08,
  backupGibMonth: 0.05,
  addressHour: 0.005,
} as const

const hours = 730
const secondsInMonth = hours * 3_600
/** What a click takes in the database, counters and indexes included: as in tools/capacity/costs.ts. */
const bytesOfClick = 203
const monthsKept = 3

interface Load {
  /** On average over the month. */
  readonly clicksPerSecond: number
  readonly clicksPerRequest: number
}

const loads: Readonly<Record<SizeName, Load>> = {
  small: { clicksPerSecond: 10, clicksPerRequest: 1 },
  medium: { clicksPerSecond: 300, clicksPerRequest: 1 },
  large: { clicksPerSecond: 5_000, clicksPerRequest: 20 },
}

export interface Cost {
  readonly what: string
  readonly arithmetic: string
  /** US dollars a month. */
  readonly dollars: number
}

/** The lines of a size's bill for a month. */
export function costsOf(name: SizeName): Cost[] {
  const size: Size = sizes[name]
  const { clicksPerSecond, clicksPerRequest } = loads[name]
  const millionRequests = (clicksPerSecond * secondsInMonth) / clicksPerRequest / 1e6
  const gibKept = (clicksPerSecond * secondsInMonth * monthsKept * bytesOfClick) / 1024 ** 3
  const { databaseInstances: instances, database, broker } = size
  const databaseHour = prices.databaseHour[database as keyof typeof prices.databaseHour]
  const brokerHour = prices.brokerHour[broker as keyof typeof prices.brokerHour]
  // One unit is 25 new connections a second, or a gibibyte an hour: about 1 KiB for each request.
  const units = Math.max(1, millionRequests / ((1024 ** 2 * hours) / 1e6))
  const onDemand = Object.entries(size.tasks).filter(([service]) => service !== 'processor')
  const tasksHour = (all: readonly Tasks[]) =>
    all.reduce((sum, { cpu, memoryMiB, min }) => sum + min * dollarsOfTask(cpu, memoryMiB), 0)
  const processors = size.tasks.processor
  const one = dollarsOfTask(processors.cpu, processors.memoryMiB)
  const others = serviceNames.filter((service) => !(service in size.tasks)).map(() => size.others)
  const servicesHour = tasksHour([...onDemand.map(([, tasks]) => tasks), ...others])
  return [
    cost('database', `${instances} × ${database} × ${databaseHour} × ${hours} h`, instances * databaseHour * hours),
    cost(
      'its storage',
      `${Math.round(gibKept)} GiB after ${monthsKept} months × ${prices.databaseGibMonth}`,
      gibKept * prices.databaseGibMonth,
    ),
    cost(
      'broker',
      `3 × (${broker} × ${brokerHour} × ${hours} h + 200 GiB × ${prices.brokerGibMonth})`,
      3 * (brokerHour * hours + 200 * prices.brokerGibMonth),
    ),
    cost('nginx and services', `${round(servicesHour)} an hour at their minimum × ${hours} h`, servicesHour * hours),
    cost(
      'processors',
      `(1 + ${processors.min - 1} × ${prices.spotShare}) × ${round(one)} × ${hours} h`,
      (1 + (processors.min - 1) * prices.spotShare) * one * hours,
    ),
    cost(
      'load balancer',
      `(${prices.loadBalancerHour} + ${round(units)} units × ${prices.loadBalancerUnitHour}) × ${hours} h`,
      (prices.loadBalancerHour + units * prices.loadBalancerUnitHour) * hours,
    ),
    cost(
      'firewall',
      `${prices.firewallMonth} + ${round(millionRequests)} M requests × ${prices.firewallMillionRequests}`,
      prices.firewallMonth + millionRequests * prices.firewallMillionRequests,
    ),
    cost('NAT gateway', `${prices.natHour} × ${hours} h`, prices.natHour * hours),
    cost('logs', `5 GiB × ${prices.logsGib}`, 5 * prices.logsGib),
    cost('keys, secrets, alarms', `about ${prices.operationsMonth}`, prices.operationsMonth),
  ]
}

/** The bill of the single server. */
export function singleServerCosts(): Cost[] {
  // The machine's own and that of the data.
  const gib = 30 + 100
  return [
    cost('server', `t4g.medium × ${prices.serverHour} × ${hours} h`, prices.serverHour * hours),
    cost('disks', `${gib} GiB × ${prices.serverGibMonth}`, gib * prices.serverGibMonth),
    cost('backups', `${gib} GiB × ${prices.backupGibMonth}`, gib * prices.backupGibMonth),
    cost('public address', `${prices.addressHour} × ${hours} h`, prices.addressHour * hours),
  ]
}

/** All of them as Markdown, for docs/aws.md. */
export function costTables(): string {
  const named = (Object.keys(sizes) as SizeName[]).map((name): [string, Cost[]] => {
    const { clicksPerSecond, clicksPerRequest } = loads[name]
    const each = clicksPerRequest === 1 ? 'one in each request' : `${clicksPerRequest} in each request`
    return [`${name}: ${clicksPerSecond} clicks a second on average, ${each}`, costsOf(name)]
  })
  return [['single server: 10 clicks a second', singleServerCosts()] as const, ...named]
    .map(([title, costs]) => {
      const sum = costs.reduce((all, { dollars }) => all + dollars, 0)
      const rows = costs.map(({ what, arithmetic, dollars }) => `| ${what} | ${arithmetic} | ${Math.round(dollars)} |`)
      return [
        `**${title}**`,
        '',
        '| what | arithmetic | $ a month |',
        '|---|---|--:|',
        ...rows,
        `| **sum** | | **${Math.round(sum)}** |`,
      ].join('\n')
    })
    .join('\n\n')
}

/** CloudFront in front of a size, if it is used. */
export function edgeCost(name: SizeName): number {
  const { clicksPerSecond, clicksPerRequest } = loads[name]
  return Math.round(((clicksPerSecond * secondsInMonth) / clicksPerRequest / 1e6) * prices.edgeMillionRequests)
}

function dollarsOfTask(cpu: number, memoryMiB: number): number {
  return (cpu / 1024) * prices.vcpuHour + (memoryMiB / 1024) * prices.memoryGibHour
}

function cost(what: string, arithmetic: string, dollars: number): Cost {
  return { what, arithmetic, dollars }
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000
}
