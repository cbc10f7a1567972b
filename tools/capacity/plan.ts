/** An installation, as the simulation sees it. */
export interface Plan {
  readonly name: string
  /** Cores of all nginx together. An ingest or a processor uses one core. */
  readonly nginxCores: number
  readonly ingests: number
  /** Databases with their queues, and equal shares of the clicks. */
  readonly cells: number
  /** For each cell. */
  readonly brokerCores: number
  readonly processors: number
  readonly databaseCores: number
  /** The disk of each database, in bytes. */
  readonly diskBytes: number
  /** For how long raw clicks are kept, in days. */
  readonly keepDays: number
}

const terabyte = 1e12

/** From one machine to several cells: the ladder of docs/scaling.md. */
export const plans: readonly Plan[] = [
  {
    ...{ name: 'one machine, 4 cores', nginxCores: 1, ingests: 1, cells: 1, brokerCores: 1, processors: 1 },
    ...{ databaseCores: 1, diskBytes: terabyte, keepDays: 30 },
  },
  {
    ...{ name: 'one machine, 16 cores', nginxCores: 3, ingests: 6, cells: 1, brokerCores: 3, processors: 2 },
    ...{ databaseCores: 4, diskBytes: 4 * terabyte, keepDays: 30 },
  },
  {
    ...{ name: 'a cluster', nginxCores: 12, ingests: 32, cells: 1, brokerCores: 16, processors: 4 },
    ...{ databaseCores: 8, diskBytes: 16 * terabyte, keepDays: 30 },
  },
  {
    ...{ name: 'a cluster with 8 cells', nginxCores: 96, ingests: 240, cells: 8, brokerCores: 16, processors: 4 },
    ...{ databaseCores: 8, diskBytes: 16 * terabyte, keepDays: 30 },
  },
]
