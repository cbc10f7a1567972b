import { join } from 'node:path'
import { lastLines, runCommand } from '@clicktally/local/processes/run-command.ts'
import { childEnvironment } from '@clicktally/local/services/child-environment.ts'
import { until } from '@clicktally/testing/until.ts'
import type { Fault } from './fault.ts'

export interface ComposeProjectOptions {
  readonly name: string
  /** Below the root of the repository. */
  readonly files: readonly string[]
  /** Values for the variables in the files. */
  readonly variables: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

const root = join(import.meta.dirname, '../..')
/** Where the engine is. */
const dockerSettings = ['DOCKER_HOST', 'DOCKER_CONTEXT', 'DOCKER_CONFIG']
/** Images are built, and a standby copies the database. */
const commandWithinMs = 900_000

/** The containers of a compose project, and the faults that they can have. */
export class ComposeProject {
  readonly #options: ComposeProjectOptions
  #files: readonly string[]

  constructor(options: ComposeProjectOptions) {
    this.#options = options
    this.#files = options.files
  }

  /** Later commands use these files: the same project in another form. */
  setFiles(files: readonly string[]): void {
    this.#files = files
  }

  /** The container of a service; `instance` counts from 1. */
  container(service: string, instance = 1): string {
    return `${this.#options.name}-${service}-${instance}`
  }

  /** All containers that keep running, sorted. */
  async containers(): Promise<string[]> {
    const list = ['ps', '--all', '--filter', `label=com.docker.compose.project=${this.#options.name}`]
    const names = await this.docker([...list, '--format', '{{.Names}}'])
    const inspected = await this.docker([
      'inspect',
      '--format',
      '{{.Name}} {{.HostConfig.RestartPolicy.Name}}',
      ...names.split('\n'),
    ])
    return [...inspected.matchAll(/^\/(\S+) unless-stopped$/gm)].map(([, name = '']) => name).sort()
  }

  /** @throws with the last lines of its output if it fails */
  async compose(...args: string[]): Promise<string> {
    const { name, variables } = this.#options
    const chosen = this.#files.flatMap((file) => ['--file', join(root, file)])
    return await this.#run(['compose', '--progress', 'quiet', '--project-name', name, ...chosen, ...args], variables)
  }

  /** @throws with the last lines of its output if it fails */
  async docker(args: readonly string[]): Promise<string> {
    return await this.#run([...args], {})
  }

  /** The output of a command in a container, without white space around it. */
  async exec(container: string, ...command: string[]): Promise<string> {
    return await this.docker(['exec', container, ...command])
  }

  /** SIGKILL for all processes of the containers, which stay down until the end: as when their machines fail. */
  killed(...containers: string[]): Fault {
    return {
      begin: () => this.docker(['kill', ...containers]),
      end: () => this.docker(['start', ...containers]),
    }
  }

  /** Freezes all processes of the containers: connections stay open and are silent, as when their machines hang. */
  silent(...containers: string[]): Fault {
    return {
      begin: () => Promise.all(containers.map((container) => this.#freeze(container))),
      end: () => this.docker(['unpause', ...containers]),
    }
  }

  /**
   * Drops every packet to and from a container, or only those of some TCP ports, in silence. Rules are in the container's own network
   * namespace, so this needs Linux and root.
   */
  cutOff(container: string, ports?: readonly number[]): Fault {
    const packets = ports === undefined ? [] : ['-p', 'tcp', '-m', 'multiport', '--ports', ports.join(',')]
    return {
      begin: async () => {
        await this.#iptables(container, ['-A', 'INPUT', '!', '-i', 'lo', ...packets, '-j', 'DROP'])
        await this.#iptables(container, ['-A', 'OUTPUT', '!', '-o', 'lo', ...packets, '-j', 'DROP'])
      },
      end: () => this.#iptables(container, ['-F']),
    }
  }

  /** Whether each container runs and, by its health check, works. */
  async areHealthy(containers: readonly string[]): Promise<boolean> {
    const states = await this.docker(['inspect', '--format', '{{.State.Health.Status}}', ...containers])
    return states.split('\n').every((state) => state === 'healthy')
  }

  /** On a busy machine runc may give up ("unable to freeze"), when processes are being started in the container. */
  async #freeze(container: string): Promise<void> {
    const freeze = async () => {
      try {
        await this.docker(['pause', container])
        return true
      } catch {
        return false
      }
    }
    await until(freeze, `${container} to be frozen`, 200)
  }

  async #iptables(container: string, rule: readonly string[]): Promise<void> {
    const pid = await this.docker(['inspect', '--format', '{{.State.Pid}}', container])
    // It is being started again, perhaps by its guard: with a network that has no rules.
    if (pid === '0' && rule[0] === '-F') return
    const { code, output } = await runCommand('nsenter', ['-t', pid, '-n', 'iptables', '-w', ...rule], {
      withinMs: 120_000,
    })
    if (code !== 0)
      throw new Error(`The network of ${container} cannot be cut, which needs root:\n${lastLines(output)}`)
  }

  async #run(args: string[], variables: Readonly<Record<string, string>>): Promise<string> {
    const { signal } = this.#options
    const { code, stdout, output } = await runCommand('docker', args, {
      cwd: root,
      env: childEnvironment(variables, dockerSettings),
      withinMs: commandWithinMs,
      // After the signal everything is still to be removed.
      signal: signal?.aborted ? undefined : signal,
    })
    if (code !== 0) throw new Error(`docker ${args.join(' ')} ended with ${code}:\n${lastLines(output)}`)
    return stdout.trim()
  }
}
