import { type SpawnSyncOptions, type StdioOptions, spawnSync } from 'node:child_process'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '..')

/** docker-compose.yml as a project of its own, with images of its own that no other clone uses. */
export class ComposeProject {
  readonly env: NodeJS.ProcessEnv
  readonly #name = `clicktally-check-${process.pid}`
  readonly #version = `check-${process.pid}`

  /** @param settings variables of docker-compose.yml */
  constructor(settings: Record<string, string>) {
    this.env = { ...process.env, ...settings, CLICKTALLY_VERSION: this.#version }
  }

  /** @throws if it fails */
  compose(...args: string[]): void {
    this.run('docker', ['compose', '--progress', 'quiet', '-p', this.#name, ...args])
  }

  /** Like compose(). @returns what it printed */
  output(...args: string[]): string {
    const all = ['compose', '--progress', 'quiet', '-p', this.#name, ...args]
    const stdio: StdioOptions = ['ignore', 'pipe', 'inherit']
    const { stdout, status } = spawnSync('docker', all, { cwd: root, env: this.env, encoding: 'utf8', stdio })
    if (status !== 0) throw new Error(`docker ${all.join(' ')} ended with ${status}`)
    return stdout
  }

  run(command: string, args: string[]): void {
    console.log(`$ ${[command, ...args].join(' ').replace(process.execPath, 'node')}`)
    const options: SpawnSyncOptions = { cwd: root, env: this.env, stdio: 'inherit' }
    const { status } = spawnSync(command, args, options)
    if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`)
  }

  /** Whether an image is on this machine. */
  hasImage(image: string): boolean {
    return spawnSync('docker', ['image', 'inspect', image], { stdio: 'ignore' }).status === 0
  }

  showLogs(): void {
    const args = ['compose', '-p', this.#name, 'logs', '--tail', '40']
    spawnSync('docker', args, { cwd: root, env: this.env, stdio: 'inherit' })
  }

  /** Removes everything: containers, volumes, images. */
  remove(): void {
    this.compose('--profile', '*', 'down', '--volumes', '--timeout', '30')
    const label = `label=org.opencontainers.image.version=${this.#version}`
    this.run('docker', ['image', 'prune', '--force', '--all', '--filter', label])
  }
}
