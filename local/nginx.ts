import { mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { childEnvironment } from './child-environment.ts'
import { hasDebianPackages, unpackedPackage } from './debian-packages.ts'
import { type DoorSettings, doorValues } from './door-settings.ts'
import { type FindOptions, howToInstall, unpackedLibraries } from './installation-advice.ts'
import { cloneDir } from './local-folder.ts'
import { firstAnswer } from './ports.ts'
import { Problem } from './problem.ts'
import { findPrograms, isProgram } from './program-search.ts'
import { runCommand } from './run-command.ts'
import { makeServerFolder, writeServerFiles } from './server-files.ts'
import { SupervisedProgram, type Supervision } from './supervised-program.ts'
import { unprivilegedUser } from './unprivileged-user.ts'

export interface NginxOptions {
  /** The folder for all it writes; its configuration is in one beside it. */
  dir: string
  /** Where it listens, on 127.0.0.1. */
  port: number
  ingestPorts: number[]
  apiPorts: number[]
  door: DoorSettings
  logPath: string
  supervision: Supervision
  signal?: AbortSignal | undefined
  installation: NginxInstallation
}

export interface NginxInstallation {
  binary: string
  /** What it needs to find its libraries. */
  env: Record<string, string>
  /** What whoever runs it must be able to read. */
  folder: string
}

const templatePath = join(cloneDir, 'infra/nginx/nginx.conf.template')

/**
 * nginx from PATH (or Homebrew's folders), or else, on Debian and Ubuntu, the distribution's, unpacked.
 * @throws Problem that says what to install.
 */
export async function findNginx({ toolsDir, onLine, signal }: FindOptions): Promise<NginxInstallation> {
  const [found] = findPrograms('nginx')
  if (found) return { binary: found, env: {}, folder: dirname(found) }
  if (!hasDebianPackages()) throw new Problem(howToInstall('nginx', 'nginx'))
  const root = await unpackedPackage({ package: 'nginx', dir: join(toolsDir, 'debian'), onLine, signal })
  const binary = join(root, 'usr/sbin/nginx')
  if (!isProgram(binary)) {
    throw new Problem(`The unpacked packages in ${root} have no nginx in them: remove the folder and start again.`)
  }
  return { binary, env: unpackedLibraries(root), folder: root }
}

/** Starts nginx with the configuration that the containers use too; resolves when it answers. */
export async function startNginx(options: NginxOptions): Promise<SupervisedProgram> {
  const { dir, port, logPath, supervision, signal } = options
  const { binary, env, folder } = options.installation
  mkdirSync(dirname(dir), { recursive: true })
  const user = await unprivilegedUser({ folders: [dirname(dir), folder], programs: [binary], lowPort: port < 1024 })
  makeServerFolder(dir, user)
  const content = renderTemplate(readFileSync(templatePath, 'utf8'), templateValues(options))
  writeServerFiles(`${dir}.config`, [{ path: 'nginx.conf', content }], user)

  // Before it has read its configuration nginx logs to a file of the system's, unless told otherwise; 1.18 can't be told.
  const errorLog = (await versionOf(binary, env)) >= 1_019_005 ? ['-e', 'stderr'] : []
  const server = new SupervisedProgram(
    {
      name: 'nginx',
      ...user.commandLine(binary, [
        '-c',
        join(`${dir}.config`, 'nginx.conf'),
        '-p',
        dir,
        ...errorLog,
        '-g',
        'daemon off;',
      ]),
      cwd: dir,
      env: childEnvironment(env),
      logPath,
      logOwner: user,
      // Answers the requests that it has, and takes no more.
      stopSignal: 'SIGQUIT',
      stopWithinMs: 10_000,
      readyWithinMs: 60_000,
      isReady: async () =>
        (await firstAnswer(port, Buffer.from('GET / HTTP/1.0\r\nHost: localhost\r\n\r\n'), 2_000)) !== undefined,
    },
    supervision,
  )
  await server.start(signal)
  return server
}

export function templateValues({
  port,
  ingestPorts,
  apiPorts,
  door,
}: Pick<NginxOptions, 'port' | 'ingestPorts' | 'apiPorts' | 'door'>): Record<string, string> {
  const servers = (ports: number[]) => ports.map((each) => `server 127.0.0.1:${each} max_fails=0;`).join(' ')
  return {
    NGINX_LISTEN: `127.0.0.1:${port}`,
    // Relative to the prefix (-p): an absolute one with a blank in it would end the word, and can't be escaped.
    NGINX_RUN_DIR: '.',
    NGINX_BODY_DIR: '.',
    NGINX_INGEST_SERVERS: servers(ingestPorts),
    NGINX_API_SERVERS: servers(apiPorts),
    NGINX_RESOLVER: '',
    ...doorValues(door),
  }
}

/**
 * Puts the values in for `${NAME}`; any other `$` is nginx's own and stays.
 * @throws Error when the template has a placeholder that there is no value for.
 */
export function renderTemplate(template: string, values: Record<string, string>): string {
  return template.replaceAll(/\$\{([A-Z_]+)\}/g, (_, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`nginx.conf.template has a placeholder that is not known: ${name}`)
    return value
  })
}

/** 1.22.1 is 1022001; 0 when it can't be told. */
async function versionOf(binary: string, env: Record<string, string>): Promise<number> {
  const { output } = await runCommand(binary, ['-v'], { env: childEnvironment(env), withinMs: 10_000 })
  const [, major = 0, minor = 0, patch = 0] = /nginx\/(\d+)\.(\d+)\.(\d+)/.exec(output)?.map(Number) ?? []
  return major * 1_000_000 + minor * 1_000 + patch
}
