import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cloneDir } from '../files/local-folder.ts'
import type { PrometheusInstallation } from '../installation/prometheus-installation.ts'
import { freePort, portProblem } from '../ports.ts'
import { SupervisedProgram, type Supervision } from '../processes/supervised-program.ts'
import { unprivilegedUser } from '../processes/unprivileged-user.ts'
import { childEnvironment } from '../services/child-environment.ts'
import { makeServerFolder, type ServerFile, writeServerFiles } from './server-files.ts'

/** Where Prometheus finds a metrics page, `host:port`. */
export interface ScrapeTarget {
  readonly job: string
  readonly address: string
}

export interface ObservabilityOptions {
  /** The folder for everything that they write. Their configurations are in folders beside it. */
  dir: string
  /** Our services. */
  services: readonly ScrapeTarget[]
  rabbitmqAddress: string
  installation: PrometheusInstallation
  /** Changes the files in infra/prometheus and infra/alertmanager: a test cannot wait for minutes. */
  adapt?: ((content: string) => string) | undefined
  /** Whether to listen on the usual ports, 9090 and 9093, if they are free. */
  onUsualPorts: boolean
  logPath(name: string): string
  supervision: Supervision
  signal?: AbortSignal | undefined
}

export interface RunningObservability {
  readonly prometheusUrl: string
  readonly alertmanagerUrl: string
  stop(): Promise<void>
}

/** Starts Alertmanager and Prometheus on 127.0.0.1, with the rules of infra/prometheus. Resolves when both are ready. */
export async function startObservability(options: ObservabilityOptions): Promise<RunningObservability> {
  const { services, rabbitmqAddress, installation, adapt = (content) => content, onUsualPorts } = options
  const source = (path: string): ServerFile => ({
    path: path.slice(path.indexOf('/') + 1).replace('.local.', '.'),
    content: adapt(readFileSync(join(cloneDir, 'infra', path), 'utf8')),
  })
  const targets = (path: string, groups: readonly ScrapeTarget[]): ServerFile => ({
    path,
    content: JSON.stringify(groups.map(({ job, address }) => ({ targets: [address], labels: { job } }))),
  })
  const alertmanagerPort = await portFor(9093, onUsualPorts)
  const alertmanager = await startServer(options, {
    name: 'alertmanager',
    binary: installation.alertmanager,
    port: alertmanagerPort,
    files: [source('alertmanager/alertmanager.yml'), ...templatesIn(installation.templates)],
    // No cluster of Alertmanagers: without an address it opens no second port.
    args: (dir) => [`--storage.path=${dir}`, '--cluster.listen-address='],
  })
  try {
    const prometheus = await startServer(options, {
      name: 'prometheus',
      binary: installation.prometheus,
      port: await portFor(9090, onUsualPorts),
      files: [
        source('prometheus/prometheus.local.yml'),
        source('prometheus/recording-rules.yml'),
        source('prometheus/alert-rules.yml'),
        targets('services.json', services),
        { path: 'rabbitmq.json', content: JSON.stringify([{ targets: [rabbitmqAddress] }]) },
        { path: 'alertmanager.json', content: JSON.stringify([{ targets: [`127.0.0.1:${alertmanagerPort}`] }]) },
      ],
      args: (dir) => [`--storage.tsdb.path=${dir}`, '--storage.tsdb.retention.time=15d'],
    })
    return {
      prometheusUrl: prometheus.url,
      alertmanagerUrl: alertmanager.url,
      stop: async () => {
        await prometheus.program.stop()
        await alertmanager.program.stop()
      },
    }
  } catch (error) {
    await alertmanager.program.stop()
    throw error
  }
}

interface Server {
  readonly name: string
  readonly binary: string
  readonly port: number
  readonly files: readonly ServerFile[]
  readonly args: (dir: string) => string[]
}

async function startServer(
  { dir, logPath, supervision, signal }: ObservabilityOptions,
  { name, binary, port, files, args }: Server,
): Promise<{ program: SupervisedProgram; url: string }> {
  mkdirSync(dir, { recursive: true })
  const user = await unprivilegedUser({ folders: [dir, dirname(binary)], programs: [binary] })
  const data = join(dir, name)
  makeServerFolder(data, user)
  writeServerFiles(`${data}.config`, files, user)
  const url = `http://127.0.0.1:${port}`
  const config = `--config.file=${join(`${data}.config`, `${name}.yml`)}`
  const program = new SupervisedProgram(
    {
      name,
      ...user.commandLine(binary, [config, `--web.listen-address=127.0.0.1:${port}`, ...args(data)]),
      cwd: `${data}.config`,
      env: childEnvironment(),
      logPath: logPath(name),
      stopSignal: 'SIGTERM',
      stopWithinMs: 10_000,
      readyWithinMs: 120_000,
      isReady: () =>
        fetch(`${url}/-/ready`, { headers: { connection: 'close' }, signal: AbortSignal.timeout(2_000) }).then(
          ({ ok }) => ok,
          () => false,
        ),
    },
    supervision,
  )
  await program.start(signal)
  supervision.onLine(`${name} is ready on 127.0.0.1:${port}`)
  return { program, url }
}

function templatesIn(folder: string | undefined): ServerFile[] {
  if (folder === undefined) return []
  const names = readdirSync(folder).filter((name) => name.endsWith('.tmpl'))
  return names.map((path) => ({ path, content: readFileSync(join(folder, path)) }))
}

async function portFor(usual: number, mayUse: boolean): Promise<number> {
  return mayUse && (await portProblem(usual)) === undefined ? usual : await freePort()
}
