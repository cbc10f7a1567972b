import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import { localDir } from '@clicktally/local/files/local-folder.ts'
import { runCommand } from '@clicktally/local/processes/run-command.ts'
import { findNginx } from '@clicktally/local/servers/nginx.ts'
import { childEnvironment } from '@clicktally/local/services/child-environment.ts'
import type { BenchSystem } from './bench-system.ts'
import { withChannel } from './queue.ts'

/** The machine that the figures come from. */
export interface Machine {
  /** Such as `2 cores (AMD EPYC 7B13), 24 GiB of memory`. */
  readonly hardware: string
  /** Such as `linux 6.1.0 x64`. */
  readonly system: string
  /** By program, in the order in which a click passes them. */
  readonly versions: Readonly<Record<string, string>>
}

/** @param system undefined if no measurement needed it: the versions of its servers are then left out */
export async function readMachine(system: BenchSystem | undefined): Promise<Machine> {
  const memory = Math.round(Math.min(process.constrainedMemory() || Infinity, totalmem()) / 1024 ** 3)
  // On many ARM machines Node finds no model name, but /proc/cpuinfo has one of these.
  const armModel = () => /^(?:Hardware|Model)\s*: (.+)$/m.exec(readProc('/proc/cpuinfo'))?.[1]
  const model = cpus()[0]?.model.replaceAll(/\s+/g, ' ').trim() || armModel() || process.arch
  return {
    hardware: `${availableParallelism()} cores (${model}), ${memory} GiB of memory`,
    system: `${process.platform} ${release()} ${process.arch}`,
    versions: { 'Node.js': process.versions.node, ...(system && (await serverVersions(system))) },
  }
}

async function serverVersions({ amqpUrl, pool }: BenchSystem): Promise<Record<string, string>> {
  const { binary, env } = await findNginx({ toolsDir: localDir, onLine: () => {} })
  const { output } = await runCommand(binary, ['-v'], { env: childEnvironment(env), withinMs: 10_000 })
  const { version, platform } = await withChannel(
    amqpUrl,
    async ({ connection }) => (connection as unknown as { serverProperties: Record<string, string> }).serverProperties,
  )
  const { rows } = await pool.query<{ version: string }>(`select current_setting('server_version') as version`)
  return {
    nginx: /nginx\/(\S+)/.exec(output)?.[1] ?? 'unknown',
    RabbitMQ: `${version} on ${platform}`,
    PostgreSQL: rows[0]?.version ?? 'unknown',
  }
}

/**
 * Starts to watch the CPU time that the hypervisor gives to other machines ("steal" in proc_stat(5)). The returned function
 * returns the share since then, 0 to 1; undefined without /proc.
 */
export function watchStolenTime(): () => number | undefined {
  const before = readCpuTicks()
  return () => {
    const now = readCpuTicks()
    const share = (now.stolen - before.stolen) / (now.all - before.all)
    return Number.isFinite(share) ? share : undefined
  }
}

/** Ticks of all cores since boot. */
function readCpuTicks(): { readonly all: number; readonly stolen: number } {
  // user nice system idle iowait irq softirq steal; the fields after these are included in user and nice.
  const ticks = readProc('/proc/stat').split('\n', 1)[0]?.trim().split(/\s+/).slice(1, 9).map(Number) ?? []
  return { all: ticks.reduce((sum, one) => sum + one, 0), stolen: ticks[7] ?? Number.NaN }
}

function readProc(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
