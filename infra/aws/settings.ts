import type { Node } from 'constructs'

/** What one size of the system consists of. docs/aws.md has the price of each. */
export interface Size {
  /** Class of each of the database's instances, of which one is the writer. */
  readonly database: string
  readonly databaseInstances: number
  /** Host type of each of the broker's three nodes: mq.m7g, the only family on which Amazon MQ has RabbitMQ 4. */
  readonly broker: string
  readonly tasks: Readonly<Record<'nginx' | 'ingest' | 'api' | 'auth' | 'processor', Tasks>>
  /** Of each other service: they work in the background. */
  readonly others: Tasks
}

export interface Tasks {
  /** 1024 are one vCPU. */
  readonly cpu: number
  readonly memoryMiB: number
  readonly min: number
  /** For processors: what the database can take. More of them would only wait for it. */
  readonly max: number
}

const tasks = (cpu: number, memoryMiB: number, min: number, max: number): Tasks => ({ cpu, memoryMiB, min, max })

export const sizes = {
  small: {
    database: 't4g.medium',
    databaseInstances: 2,
    broker: 'mq.m7g.medium',
    tasks: {
      nginx: tasks(256, 1024, 2, 4),
      ingest: tasks(512, 1024, 2, 4),
      api: tasks(512, 1024, 2, 4),
      auth: tasks(256, 1024, 2, 2),
      processor: tasks(512, 1024, 2, 4),
    },
    others: tasks(256, 1024, 1, 1),
  },
  medium: {
    database: 'r8g.large',
    databaseInstances: 2,
    broker: 'mq.m7g.large',
    tasks: {
      nginx: tasks(512, 1024, 2, 8),
      ingest: tasks(1024, 2048, 2, 10),
      api: tasks(1024, 2048, 2, 6),
      auth: tasks(256, 1024, 2, 2),
      processor: tasks(1024, 2048, 2, 8),
    },
    others: tasks(256, 1024, 1, 1),
  },
  large: {
    database: 'r8g.4xlarge',
    databaseInstances: 3,
    broker: 'mq.m7g.2xlarge',
    tasks: {
      nginx: tasks(2048, 4096, 3, 12),
      ingest: tasks(1024, 2048, 6, 40),
      api: tasks(1024, 2048, 3, 12),
      auth: tasks(512, 1024, 2, 2),
      processor: tasks(1024, 2048, 4, 16),
    },
    others: tasks(512, 2048, 1, 1),
  },
} as const satisfies Record<string, Size>

export type SizeName = keyof typeof sizes

export interface Settings {
  readonly size: Size
  /** The name under which browsers and senders reach the system, such as counts.example.org. */
  readonly domain: string
  /** ARN of a certificate for it in the region of the stack. */
  readonly certificateArn: string
  /** ARN of a certificate for it in us-east-1, for CloudFront. Without one there is no CloudFront. */
  readonly edgeCertificateArn: string | undefined
  /** The host of a RabbitMQ of one's own. Without one it is Amazon MQ. */
  readonly brokerHost: string | undefined
  readonly alarmEmail: string | undefined
  /** Of the pipeline: ARN of a CodeConnections connection, owner/repository, branch. Without a connection there is no pipeline. */
  readonly source: { readonly connectionArn: string; readonly repository: string; readonly branch: string } | undefined
}

/**
 * Reads the context: `cdk deploy -c domain=counts.example.org -c certificate=arn:…`.
 *
 * @throws {Error} that names every value that is missing or wrong
 */
export function readSettings(node: Node): Settings {
  const problems: string[] = []
  const optional = (name: string): string | undefined => node.tryGetContext(name) || undefined
  const matching = (name: string, form: RegExp, example: string, value = optional(name)) => {
    if (value === undefined || !form.test(value)) problems.push(`-c ${name}=… is needed, such as ${example}`)
    return value ?? ''
  }
  const sizeName = optional('size') ?? 'small'
  if (!(sizeName in sizes)) problems.push(`-c size=${sizeName} is none of ${Object.keys(sizes).join(', ')}`)
  const arn = /^arn:aws[\w-]*:acm:[\w-]+:\d{12}:certificate\/[\w-]+$/
  const exampleArn = 'arn:aws:acm:eu-central-1:123456789012:certificate/…'
  const edge = optional('edge-certificate')
  const host = /^[a-z\d-]+(\.[a-z\d-]+)+$/
  const broker = optional('broker')
  const connectionArn = optional('connection')
  const settings: Settings = {
    size: sizes[sizeName as SizeName],
    domain: matching('domain', host, 'counts.example.org'),
    certificateArn: matching('certificate', arn, exampleArn),
    edgeCertificateArn:
      edge && matching('edge-certificate', arn, exampleArn.replace('eu-central-1', 'us-east-1'), edge),
    brokerHost: broker && matching('broker', host, 'rabbitmq.example.org', broker),
    alarmEmail: optional('alarm-email'),
    source:
      connectionArn === undefined
        ? undefined
        : {
            connectionArn,
            repository: matching('repository', /^[\w.-]+\/[\w.-]+$/, 'owner/clicktally'),
            branch: optional('branch') ?? 'main',
          },
  }
  if (problems.length > 0) throw new Error(problems.join('\n'))
  return settings
}
