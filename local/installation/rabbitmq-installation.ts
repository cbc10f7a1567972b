import { chmodSync, existsSync, globSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { Problem } from '../problem.ts'
import { childEnvironment } from '../services/child-environment.ts'
import { hasDebianPackages, unpackedPackage } from './debian-packages.ts'
import { type FindOptions, howToInstall, unpackedLibraries } from './installation-advice.ts'
import { findPrograms, isProgram } from './program-search.ts'

/** A RabbitMQ that can be run in place. */
export interface RabbitmqInstallation {
  /** RabbitMQ's own start script, not a distribution's wrapper, which is for the system's broker. */
  serverScript: string
  epmd: string
  /** Variables that both need besides their settings. */
  env: Record<string, string>
  /** The folders that their user must be able to read. */
  folders: string[]
}

/**
 * RabbitMQ from PATH or Homebrew's folders; otherwise, on Debian and Ubuntu, the distribution's package, unpacked.
 * @throws Problem that tells what to install.
 */
export async function findRabbitmq(options: FindOptions): Promise<RabbitmqInstallation> {
  const [erl] = findPrograms('erl')
  for (const candidate of findPrograms('rabbitmq-server')) {
    const serverScript = ownScript(candidate)
    const epmd = erl && findEpmd(erl)
    if (!serverScript || !erl || !epmd) continue
    return { serverScript, epmd, env: withFirstOnPath(dirname(erl)), folders: [dirname(serverScript), dirname(erl)] }
  }
  if (!hasDebianPackages()) throw new Problem(howToInstall('RabbitMQ', 'rabbitmq'))
  const root = await unpackedPackage({ ...options, package: 'rabbitmq-server', dir: join(options.toolsDir, 'debian') })
  return unpackedRabbitmq(root)
}

/**
 * The real script has `rabbitmq-env` beside it. Debian's `/usr/sbin/rabbitmq-server` is a wrapper that requires the user `rabbitmq`
 * and `/var/lib/rabbitmq`; the real script is then below `../lib/rabbitmq`.
 */
function ownScript(candidate: string): string | undefined {
  const found = [
    realpathSync(candidate),
    ...globSync(join(dirname(dirname(candidate)), 'lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server')),
  ]
  return found.find(
    (path) => existsSync(join(dirname(path), 'rabbitmq-env')) && existsSync(join(dirname(path), '../plugins')),
  )
}

function findEpmd(erl: string): string | undefined {
  const real = realpathSync(erl)
  const beside = [join(dirname(erl), 'epmd'), join(dirname(real), 'epmd')]
  return [...beside, ...globSync(join(dirname(real), '../erts-*/bin/epmd')), ...findPrograms('epmd')].find(isProgram)
}

function unpackedRabbitmq(root: string): RabbitmqInstallation {
  const [serverScript] = globSync(join(root, 'usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server'))
  const [erts] = globSync(join(root, 'usr/lib/erlang/erts-*'))
  if (!serverScript || !erts) {
    throw new Problem(
      `The unpacked packages in ${root} contain no RabbitMQ or no Erlang. Remove the folder and start again.`,
    )
  }
  return {
    serverScript,
    epmd: join(erts, 'bin/epmd'),
    env: {
      ...withFirstOnPath(writeErl(root, erts)),
      ERL_ROOTDIR: join(root, 'usr/lib/erlang'),
      ...unpackedLibraries(root),
    },
    folders: [root],
  }
}

/** Debian's `erl` always starts /usr/lib/erlang. This one starts the unpacked Erlang. */
function writeErl(root: string, erts: string): string {
  const folder = join(root, 'clicktally-bin')
  const path = join(folder, 'erl')
  if (isProgram(path)) return folder
  mkdirSync(folder, { recursive: true })
  const script = [
    '#!/bin/sh',
    'ROOTDIR=$ERL_ROOTDIR',
    `BINDIR=$ROOTDIR/${erts.slice(erts.lastIndexOf('/') + 1)}/bin`,
    'EMU=beam',
    'PROGNAME=erl',
    'export ROOTDIR BINDIR EMU PROGNAME',
    'exec "$BINDIR/erlexec" "$@"',
  ]
  writeFileSync(path, `${script.join('\n')}\n`)
  chmodSync(path, 0o755)
  return folder
}

function withFirstOnPath(folder: string): { PATH: string } {
  return { PATH: [folder, childEnvironment().PATH ?? '/usr/bin:/bin'].join(delimiter) }
}
