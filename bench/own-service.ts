import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { nodeService } from '@clicktally/local/node-services.ts'
import { freePort } from '@clicktally/local/ports.ts'
import { SupervisedProgram } from '@clicktally/local/supervised-program.ts'
import { unprivilegedUser } from '@clicktally/local/unprivileged-user.ts'
import type { BenchSystem, Stage } from './measurement.ts'

export interface OwnServiceOptions {
  readonly kind: 'processor' | 'api'
  readonly name: string
  readonly system: Pick<BenchSystem, 'amqpUrl' | 'secretsDir'>
  /** With the service's own role and password. */
  readonly databaseUrl: string
  readonly stage: Pick<Stage, 'dir' | 'signal'>
  /** Settings that differ from the default. */
  readonly variables?: Record<string, string>
}

/** One of the system's services, started beside it to work on another database. */
export interface OwnService {
  readonly program: SupervisedProgram
  readonly url: string
  stop(): Promise<void>
}

/** Starts it as `npm start` does, and resolves when it says that it is ready. */
export async function startOwnService(options: OwnServiceOptions): Promise<OwnService> {
  const { kind, name, system, databaseUrl, stage, variables } = options
  const user = await unprivilegedUser({ folders: [import.meta.dirname], programs: [process.execPath] })
  const port = await freePort()
  const service = {
    name,
    entry: `services/${kind}/main.ts`,
    port,
    variables: { ...variables, DATABASE_URL: databaseUrl, ...(kind === 'processor' && brokerVariables(system)) },
    logPath: join(stage.dir, `${name}.log`),
    user,
  }
  const program = new SupervisedProgram(nodeService(service), { onLine: () => {} })
  await program.start(stage.signal)
  return { program, url: `http://127.0.0.1:${port}`, stop: () => program.stop() }
}

function brokerVariables({ amqpUrl, secretsDir }: OwnServiceOptions['system']): Record<string, string> {
  return {
    BROKER_URL: `amqp://processor@${new URL(amqpUrl).host}`,
    BROKER_PASSWORD: readFileSync(join(secretsDir, 'processor/broker-password'), 'utf8'),
  }
}
