import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { PageFile } from '@clicktally/web/build/pages.ts'
import { cloneDir } from '../files/local-folder.ts'
import { hasDebianPackages, unpackedPackage } from '../installation/debian-packages.ts'
import { type FindOptions, howToInstall, unpackedLibraries } from '../installation/installation-advice.ts'
import { findPrograms, isProgram } from '../installation/program-search.ts'
import { firstAnswer, freePort } from '../ports.ts'
import { Problem } from '../problem.ts'
import { runCommand } from '../processes/run-command.ts'
import { SupervisedProgram, type Supervision } from '../processes/supervised-program.ts'
import { unprivilegedUser } from '../processes/unprivileged-user.ts'
import { childEnvironment } from '../services/child-environment.ts'
import { watchCertificate } from './certificate-watch.ts'
import { type ListenAddress, type NginxSettings, nginxValues, onlyIf } from './nginx-settings.ts'
import { makeServerFolder, type ServerFile, writeServerFiles } from './server-files.ts'
import { type TlsFiles, tlsFiles } from './tls-files.ts'

export interface NginxOptions {
  /** The folder for everything that it writes. Its configuration and a self-signed certificate are in folders beside it. */
  dir: string
  /** The ports of each service, by its name, on 127.0.0.1. */
  upstreams: Readonly<Record<string, readonly number[]>>
  settings: NginxSettings
  /** The files of the dashboard. */
  pages: readonly PageFile[]
  logPath: string
  supervision: Supervision
  signal?: AbortSignal | undefined
  installation: NginxInstallation
  /** How often an operator's certificate is looked at, to serve with its successor. Default: 60,000 ms. */
  certificateEveryMs?: number
}

export interface NginxInstallation {
  binary: string
  /** Variables that it needs to find its libraries. */
  env: Record<string, string>
  /** The folder that its user must be able to read. */
  folder: string
}

const templatePath = join(cloneDir, 'infra/nginx/nginx.conf.template')

/**
 * nginx from PATH or Homebrew's folders; otherwise, on Debian and Ubuntu, the distribution's package, unpacked.
 * @throws Problem that tells what to install.
 */
export async function findNginx({ toolsDir, onLine, signal }: FindOptions): Promise<NginxInstallation> {
  const [found] = findPrograms('nginx')
  if (found) return { binary: found, env: {}, folder: dirname(found) }
  if (!hasDebianPackages()) throw new Problem(howToInstall('nginx', 'nginx'))
  const root = await unpackedPackage({ package: 'nginx', dir: join(toolsDir, 'debian'), onLine, signal })
  const binary = join(root, 'usr/sbin/nginx')
  if (!isProgram(binary)) {
    throw new Problem(`The unpacked packages in ${root} contain no nginx. Remove the folder and start again.`)
  }
  return { binary, env: unpackedLibraries(root), folder: root }
}

export interface RunningNginx {
  program: SupervisedProgram
  /** Plain HTTP for programs on this machine, whether there is TLS or not. */
  internalPort: number
  stop(): Promise<void>
}

/** Starts nginx with the configuration that the containers use too. Resolves when it answers. */
export async function startNginx(options: NginxOptions): Promise<RunningNginx> {
  const { dir, settings, logPath, supervision, signal } = options
  const { binary, env, folder } = options.installation
  mkdirSync(dirname(dir), { recursive: true })
  const tls = await tlsFiles(settings, join(dirname(dir), 'certificate'))
  const build = await buildOf(binary, env)
  if (tls !== undefined && !build.hasTls) throw new Problem(`${binary} was built without TLS.`)
  const lowPort = Math.min(settings.listen.port, settings.listenTls.port) < 1024
  const user = await unprivilegedUser({ folders: [dirname(dir), folder], programs: [binary], lowPort })
  makeServerFolder(dir, user)
  const internalPort = await freePort()
  const values = templateValues({ ...options, internalPort, build })
  const files: ServerFile[] = [
    { path: 'nginx.conf', content: renderTemplate(readFileSync(templatePath, 'utf8'), values) },
  ]
  if (tls !== undefined) files.push(...certificateFiles(tls))
  files.push(...options.pages.map(({ path, content }) => ({ path: join(pagesFolder, path), content })))
  // Without the files of the previous version.
  rmSync(join(`${dir}.config`, pagesFolder), { recursive: true, force: true })
  writeServerFiles(`${dir}.config`, files, user)
  // Whoever starts this owns it, so that an ACME client that runs as root writes where nobody else can.
  mkdirSync(join(dirname(dir), 'acme-challenges'), { recursive: true, mode: 0o755 })

  // Until it has read its configuration nginx logs to a system file, unless -e is given. 1.18 does not know -e.
  const errorLog = build.version >= 1_019_005 ? ['-e', 'stderr'] : []
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
      // Graceful: nginx answers the requests it has and accepts no more.
      stopSignal: 'SIGQUIT',
      stopWithinMs: 10_000,
      readyWithinMs: 120_000,
      isReady: async () =>
        (await firstAnswer(internalPort, Buffer.from('GET / HTTP/1.0\r\nHost: localhost\r\n\r\n'), 2_000)) !==
        undefined,
    },
    supervision,
  )
  await server.start(signal)
  const endWatch =
    tls !== undefined && settings.tls === 'certificate'
      ? watchCertificate({
          served: tls,
          read: async () => (await tlsFiles(settings, '')) as TlsFiles,
          serve: (files) => {
            writeServerFiles(`${dir}.config`, certificateFiles(files), user)
            // nginx reads its configuration again. Workers with the old one answer what they have.
            server.signal('SIGHUP')
          },
          onLine: supervision.onLine,
          everyMs: options.certificateEveryMs ?? 60_000,
        })
      : () => {}
  return {
    program: server,
    internalPort,
    stop: async () => {
      endWatch()
      await server.stop()
    },
  }
}

function certificateFiles({ certificate, key }: TlsFiles): ServerFile[] {
  return [
    { path: certificateFile, content: certificate },
    { path: keyFile, content: key },
  ]
}

const certificateFile = 'certificate.pem'
const keyFile = 'key.pem'
const pagesFolder = 'pages'

export function templateValues({
  dir,
  upstreams,
  settings,
  internalPort,
  build,
}: Pick<NginxOptions, 'dir' | 'upstreams' | 'settings'> & { internalPort: number; build: NginxBuild }): Record<
  string,
  string
> {
  const hasTls = settings.tls !== 'off'
  const hasHttp2Directive = build.version >= 1_025_001
  const on = ({ host, port }: ListenAddress) => `${host}:${port}`
  const servers = Object.entries(upstreams).map(([name, ports]) => [
    `NGINX_${name.toUpperCase()}_SERVERS`,
    ports.map((each) => `server 127.0.0.1:${each} max_fails=0;`).join(' '),
  ])
  return {
    NGINX_LISTEN: on(settings.listen),
    NGINX_INTERNAL_LISTEN: `127.0.0.1:${internalPort}`,
    NGINX_TLS_LISTEN: `${on(settings.listenTls)} ssl${build.hasHttp2 && !hasHttp2Directive ? ' http2' : ''}`,
    NGINX_QUIC_LISTEN: `${on(settings.listenTls)} quic`,
    NGINX_IF_HTTP2: onlyIf(hasTls && build.hasHttp2 && hasHttp2Directive),
    NGINX_IF_HTTP3: onlyIf(hasTls && build.hasHttp3),
    NGINX_TLS_CERTIFICATE: certificateFile,
    NGINX_TLS_KEY: keyFile,
    // Only nginx's image has the module.
    NGINX_IF_ACME: onlyIf(false),
    NGINX_ACME_SERVER: '',
    NGINX_ACME_HOSTS: '',
    NGINX_STATE_DIR: '..',
    // Relative to the prefix (-p), because an absolute path may contain a space, which cannot be escaped.
    NGINX_RUN_DIR: '.',
    NGINX_BODY_DIR: '.',
    NGINX_PAGES_DIR: `../${basename(dir)}.config/${pagesFolder}`,
    ...Object.fromEntries(servers),
    NGINX_RESOLVER: '',
    ...nginxValues(settings),
  }
}

/**
 * Replaces each `${NAME}` with its value. Any other `$` belongs to nginx and stays.
 * @throws Error when a placeholder has no value.
 */
export function renderTemplate(template: string, values: Record<string, string>): string {
  return template.replaceAll(/\$\{([A-Z0-9_]+)\}/g, (_, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`nginx.conf.template has an unknown placeholder: ${name}`)
    return value
  })
}

/** What an nginx can do. */
export interface NginxBuild {
  /** 1.22.1 is 1022001; 0 when the version is unknown. */
  version: number
  hasTls: boolean
  hasHttp2: boolean
  hasHttp3: boolean
}

async function buildOf(binary: string, env: Record<string, string>): Promise<NginxBuild> {
  const { output } = await runCommand(binary, ['-V'], { env: childEnvironment(env), withinMs: 60_000 })
  const [, major = 0, minor = 0, patch = 0] = /nginx\/(\d+)\.(\d+)\.(\d+)/.exec(output)?.map(Number) ?? []
  return {
    version: major * 1_000_000 + minor * 1_000 + patch,
    hasTls: output.includes('--with-http_ssl_module'),
    hasHttp2: output.includes('--with-http_v2_module'),
    hasHttp3: output.includes('--with-http_v3_module'),
  }
}
