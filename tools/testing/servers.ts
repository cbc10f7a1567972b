import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { scratchSettings, startPostgres } from '@clicktally/local/servers/postgres.ts'
import { startRabbitmq } from '@clicktally/local/servers/rabbitmq.ts'
import { parts } from '@clicktally/system/parts.ts'

/** A real PostgreSQL and a real RabbitMQ, and their origin. */
export interface Servers {
  readonly origin: 'environment' | 'containers' | 'local'
  /** A postgres:// URL with a role that may create databases and roles. */
  readonly postgresUrl: string
  /** An amqp:// URL with an administrator. */
  readonly amqpUrl: string
  /** The http:// URL of the management plugin; the user is that of amqpUrl. */
  readonly managementUrl: string
}

export interface ProvidedServers extends Servers {
  stop(): Promise<void>
}

/** Which servers the tests use. */
export interface ServersChoice {
  readonly postgresUrl: string | undefined
  readonly amqpUrl: string | undefined
  readonly managementUrl: string | undefined
  /** Undefined: containers if an engine has or can pull the images, else local servers. */
  readonly kind: 'containers' | 'local' | undefined
}

const images = { postgres: parts.postgres.image, rabbitmq: parts.rabbitmq.image }

/**
 * Provides the servers named in the environment, or containers, or the same local servers as `npm start`, in a scratch folder.
 *
 * @throws with the reason if none are available. It never returns a fake server.
 */
export async function provideServers(choice: ServersChoice, say: (line: string) => void): Promise<ProvidedServers> {
  if (choice.postgresUrl !== undefined && choice.amqpUrl !== undefined) {
    const host = new URL(choice.amqpUrl).hostname
    return {
      origin: 'environment',
      postgresUrl: choice.postgresUrl,
      amqpUrl: choice.amqpUrl,
      managementUrl: choice.managementUrl ?? `http://${host}:15672`,
      stop: async () => {},
    }
  }
  if (choice.kind !== 'local') {
    let reason = await whyNoContainers()
    try {
      if (reason === undefined) return await startContainers()
    } catch (error) {
      // Testcontainers may lack an image of its own, or the engine may be unable to run containers.
      reason = firstLine(error)
    }
    if (choice.kind === 'containers') throw new Error(`TEST_SERVERS is "containers", but: ${reason}.`)
    say(`no containers (${reason}): local servers`)
  }
  return await startLocal()
}

/** Why containers cannot be used. Undefined if an engine responds and has the images or can pull them. */
async function whyNoContainers(): Promise<string | undefined> {
  const { getContainerRuntimeClient, ImageName } = await import('testcontainers')
  try {
    const client = await getContainerRuntimeClient()
    for (const name of Object.values(images)) {
      const image = ImageName.fromString(name)
      if (!(await client.image.exists(image))) await client.image.pull(image)
    }
    return undefined
  } catch (error) {
    return firstLine(error)
  }
}

function firstLine(error: unknown): string {
  return (error as Error).message.split('\n', 1)[0] || 'no engine responds'
}

async function startContainers(): Promise<ProvidedServers> {
  const { PostgreSqlContainer } = await import('@testcontainers/postgresql')
  const { RabbitMQContainer } = await import('@testcontainers/rabbitmq')
  const password = randomBytes(12).toString('hex')
  const settings = Object.entries(scratchSettings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const [postgres, rabbitmq] = await Promise.all([
    new PostgreSqlContainer(images.postgres)
      .withUsername('clicktally')
      .withPassword(password)
      .withDatabase('clicktally')
      .withCommand(['postgres', ...settings])
      .start(),
    new RabbitMQContainer(images.rabbitmq)
      .withEnvironment({ RABBITMQ_DEFAULT_USER: 'operator', RABBITMQ_DEFAULT_PASS: password })
      .start(),
  ])
  const host = rabbitmq.getHost()
  return {
    origin: 'containers',
    postgresUrl: postgres.getConnectionUri(),
    amqpUrl: `amqp://operator:${password}@${host}:${rabbitmq.getMappedPort(5672)}`,
    managementUrl: `http://${host}:${rabbitmq.getMappedPort(15672)}`,
    stop: async () => {
      await Promise.all([postgres.stop(), rabbitmq.stop()])
    },
  }
}

async function startLocal(): Promise<ProvidedServers> {
  const dir = await makeScratchFolder('test')
  const password = randomBytes(12).toString('hex')
  const { brokerDefinitions } = await import('@clicktally/broker/definitions.ts')
  const started = await Promise.allSettled([
    startPostgres({ dir: join(dir, 'postgres'), password, isScratch: true }),
    startRabbitmq({
      dir: join(dir, 'rabbitmq'),
      definitions: brokerDefinitions(() => password),
    }),
  ])
  const stop = async () => {
    await Promise.all(started.map(async (server) => server.status === 'fulfilled' && (await server.value.stop())))
    await rm(dir, { recursive: true, force: true })
  }
  const [postgres, rabbitmq] = started
  if (postgres.status === 'rejected' || rabbitmq.status === 'rejected') {
    await stop()
    throw (postgres.status === 'rejected' ? postgres : (rabbitmq as PromiseRejectedResult)).reason
  }
  return {
    origin: 'local',
    postgresUrl: postgres.value.url,
    amqpUrl: `amqp://operator:${password}@127.0.0.1:${rabbitmq.value.amqpPort}`,
    managementUrl: `http://127.0.0.1:${rabbitmq.value.managementPort}`,
    stop,
  }
}
