import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import { childEnvironment } from '@clicktally/local/child-environment.ts'
import { localDir } from '@clicktally/local/local-folder.ts'
import { findNginx } from '@clicktally/local/nginx.ts'
import { runCommand } from '@clicktally/local/run-command.ts'
import type { StartedSystem } from './bench-system.ts'

/** What the figures are of: they mean little without it. */
export interface Machine {
  /** Such as `2 cores of an AMD EPYC 7B13, 24 GiB of memory`. */
  readonly hardware: string
  /** Such as `linux 6.1.0 x64`. */
  readonly system: string
  /** Programs and their versions, in the order in which a click meets them. */
  readonly versions: Readonly<Record<string, string>>
}

/** @param system undefined where no measurement has asked for one: then its servers have no version. */
export async function readMachine(system: StartedSystem | undefined): Promise<Machine> {
  const memory = Math.round(Math.min(process.constrainedMemory() || Infinity, totalmem()) / 1024 ** 3)
  const model = cpus()[0]?.model.replaceAll(/\s+/g, ' ').trim() || readModel() || process.arch
  return {
    hardware: `${availableParallelism()} cores (${model}), ${memory} GiB of memory`,
    system: `${process.platform} ${release()} ${process.arch}`,
    versions: {
      'Node.js': process.versions.node,
      ...(system && (await serverVersions(system))),
    },
  }
}

async function serverVersions({ broker, pool }: StartedSystem): Promise<Record<string, string>> {
  const overview = (await broker.manage('GET', '/overview')) as { rabbitmq_version: string; erlang_version: string }
  const { rows } = await pool.query<{ version: string }>(`select current_setting('server_version') as version`)
  return {
    nginx: await nginxVersion(),
    RabbitMQ: `${overview.rabbitmq_version} on Erlang ${overview.erlang_version}`,
    PostgreSQL: rows[0]?.version ?? 'unknown',
  }
}

async function nginxVersion(): Promise<string> {
  const { binary, env } = await findNginx({ toolsDir: localDir, onLine: () => {} })
  const { output } = await runCommand(binary, ['-v'], { env: childEnvironment(env), withinMs: 10_000 })
  return /nginx\/(\S+)/.exec(output)?.[1] ?? 'unknown'
}

/** On machines whose /proc/cpuinfo has no model name, as on many ARM ones, there is often one of these. */
function readModel(): string | undefined {
  try {
    return /^(?:Hardware|Model)\s*: (.+)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]
  } catch {
    return undefined
  }
}
