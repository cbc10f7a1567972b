import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)
/** Longer than the start of a container. */
const timeoutMs = 120_000

/** The processors of a system that runs with docker compose in a folder. */
export class ComposeProcessors {
  readonly #dir: string

  constructor(dir: string) {
    this.#dir = dir
  }

  /** How many run. @throws if docker compose fails */
  async count(): Promise<number> {
    const ids = await this.#compose(['ps', '--quiet', '--status', 'running', 'processor'])
    return ids.split('\n').filter((line) => line !== '').length
  }

  /** Messages in the queue that no processor has taken. Undefined while RabbitMQ does not answer. */
  async readyMessages(): Promise<number | undefined> {
    const list = ['rabbitmqctl', '--quiet', '--formatter', 'json', 'list_queues', 'name', 'messages_ready']
    try {
      const queues = JSON.parse(await this.#compose(['exec', '-T', 'rabbitmq', ...list])) as Record<string, unknown>[]
      const ready = queues.find(({ name }) => name === 'clicks')?.messages_ready
      return typeof ready === 'number' ? ready : undefined
    } catch {
      return undefined
    }
  }

  /** Starts or stops processors, and nothing else. @throws if docker compose fails */
  async scale(count: number): Promise<void> {
    await this.#compose(['up', '--detach', '--no-deps', '--no-recreate', '--scale', `processor=${count}`, 'processor'])
  }

  async #compose(args: readonly string[]): Promise<string> {
    return (await run('docker', ['compose', ...args], { cwd: this.#dir, timeout: timeoutMs })).stdout
  }
}
