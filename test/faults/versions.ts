import { availableParallelism, totalmem } from 'node:os'
import { runCommand } from '@clicktally/local/processes/run-command.ts'
import type { SystemUnderTest } from './system-under-test.ts'

export interface Versions {
  readonly node: string
  readonly postgres: string
  readonly rabbitmq: string
  /** Such as `linux x64, 2 cores, 24 GiB of memory`. */
  readonly machine: string
}

/** The abbreviated commit of the working tree, with a `+` if files outside docs/ differ from it; `unknown` outside of a clone. */
export async function readCommit(): Promise<string> {
  const git = async (...args: string[]) =>
    (await runCommand('git', args, { cwd: import.meta.dirname, withinMs: 120_000 })).stdout.trim()
  const commit = await git('rev-parse', '--short=7', 'HEAD')
  if (commit === '') return 'unknown'
  return (await git('status', '--porcelain', '--', ':/', ':(exclude,top)docs')) === '' ? commit : `${commit}+`
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
