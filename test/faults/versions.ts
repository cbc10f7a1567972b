import { availableParallelism, totalmem } from 'node:os'
import type { SystemUnderTest } from './system-under-test.ts'

export interface Versions {
  readonly node: string
  readonly postgres: string
  readonly rabbitmq: string
  /** Such as `linux x64, 2 cores, 24 GiB of memory`. */
  readonly machine: string
}

export async function readVersions(system: SystemUnderTest): Promise<Versions> {
  const { rows } = await system.pool.query<{ version: string }>(`select current_setting('server_version') as version`)
  const overview = (await system.manage('GET', '/overview')) as { rabbitmq_version: string; erlang_version: string }
  const memory = Math.round(totalmem() / 1024 ** 3)
  return {
    node: process.versions.node,
    postgres: rows[0]?.version ?? 'unknown',
    rabbitmq: `${overview.rabbitmq_version} on Erlang ${overview.erlang_version}`,
    machine: `${process.platform} ${process.arch}, ${availableParallelism()} cores, ${memory} GiB of memory`,
  }
}
