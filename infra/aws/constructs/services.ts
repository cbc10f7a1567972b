import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { serverVariables } from '@clicktally/system/accounts.ts'
import { type Part, parts, type ServiceName, serviceNames } from '@clicktally/system/parts.ts'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as ecr from 'aws-cdk-lib/aws-ecr'
import * as ecs from 'aws-cdk-lib/aws-ecs'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as logs from 'aws-cdk-lib/aws-logs'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { Aws, type CfnCondition, Duration, Fn, RemovalPolicy, Token } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import { parse } from 'yaml'
import type { Settings, Size, Tasks } from '../settings.ts'
import type { AccountSecrets } from './account-secrets.ts'
import type { Broker } from './broker.ts'
import type { Database } from './database.ts'

export interface ServicesProps {
  readonly vpc: ec2.IVpc
  readonly key: kms.IKey
  readonly settings: Settings
  readonly database: Database
  readonly broker: Broker
  readonly secrets: AccountSecrets
  /** Of all images: the commit that the pipeline has built. */
  readonly imageTag: string
  /** A new value replaces all tasks, also where nothing else has changed but the secrets that they read when they start. */
  readonly run: string
  /** False at the first deployment, before the pipeline has run. */
  readonly hasImages: CfnCondition
}

export const imageNames = [...serviceNames, 'nginx', 'migrate'] as const
export type ImageName = (typeof imageNames)[number]

/** By their CPU; processors by the backlog. */
const scaledNames = ['nginx', 'ingest', 'api', 'processor'] as const

const namespace = 'clicktally.internal'
/** The resolver of every VPC. */
const resolver = 'resolver 169.254.169.253 valid=5s ipv6=off;'
/**
 * A deployment waits until a task is ready. From then on the check asks only whether it lives: ECS ends unhealthy tasks, and while the
 * database or the broker is away none is ready. It would end all of them, and with the ingests the keys they know and the clicks they hold.
 *
 * As in docker-compose.yml, bash connects by itself. /dev/shm is the only place that a task with a read-only disk can write to; where it
 * cannot, each check asks for /readyz.
 */
export const serviceCheck = [
  'ready=/dev/shm/ready path=/livez',
  '[ -e $ready ] || path=/readyz',
  'exec 3<>/dev/tcp/127.0.0.1/3000',
  'printf "GET $path HTTP/1.0\\r\\n\\r\\n" >&3',
  'read -r -t 4 _ status _ <&3',
  '[ "$status" = 200 ] || exit 1',
  '{ : >$ready; } 2>/dev/null || true',
].join('; ')

/** The ECS services: one for each service of the table of parts, and nginx, which finds them by DNS. */
export class Services extends Construct {
  readonly cluster: ecs.Cluster
  readonly repositories: Readonly<Record<ImageName, ecr.Repository>>
  readonly byName = new Map<ServiceName | 'nginx', ecs.FargateService>()
  readonly #props: ServicesProps

  constructor(scope: Construct, id: string, props: ServicesProps) {
    super(scope, id)
    this.#props = props
    const { vpc, key, database, broker, settings } = props
    this.cluster = new ecs.Cluster(this, 'Cluster', {
      vpc,
      containerInsightsV2: ecs.ContainerInsights.ENABLED,
      defaultCloudMapNamespace: { name: namespace },
      enableFargateCapacityProviders: true,
    })
    this.repositories = Object.fromEntries(imageNames.map((name) => [name, this.#repository(name)])) as never

    for (const name of serviceNames) {
      const part: Part = parts[name]
      const service = this.#service(name, tasksOf(settings.size, name), {
        environment: this.#variables(name),
        secrets: props.secrets.variablesOf(name, part.account as string, database.owner),
        port: part.port as number,
        healthCheck: serviceCheck,
        readonlyRootFilesystem: true,
      })
      if (part.broker !== undefined) broker.allowFrom(service, false)
      if (part.database !== undefined) database.cluster.connections.allowDefaultPortFrom(service)
    }
    this.#addArchive(key)
    const nginx = this.#service('nginx', settings.size.tasks.nginx, {
      environment: nginxVariables(settings, vpc.vpcCidrBlock),
      secrets: {},
      port: parts.nginx.port,
      healthCheck: 'curl -fsS -o /dev/null http://127.0.0.1:8081/',
      // It writes its configuration and its cache, and a volume of Fargate belongs to root.
      readonlyRootFilesystem: false,
    })
    for (const [name, service] of this.byName) {
      if (name === 'nginx' || !(parts[name] as Part).networks?.includes('http')) continue
      service.connections.allowFrom(nginx, ec2.Port.tcp((parts[name] as Part).port as number), 'requests from nginx')
    }
    this.#scaleByCpu()
  }

  get(name: ServiceName | 'nginx'): ecs.FargateService {
    return this.byName.get(name) as ecs.FargateService
  }

  /** What changes the number of a service's tasks, between its size's minimum and maximum. */
  scalable(name: (typeof scaledNames)[number]): ecs.ScalableTaskCount {
    const { min, max } = this.#props.settings.size.tasks[name]
    return this.get(name).autoScaleTaskCount({ minCapacity: this.#onceImagesExist(min), maxCapacity: max })
  }

  image(name: ImageName): string {
    return this.repositories[name].repositoryUriForTag(this.#props.imageTag)
  }

  /** Zero before: a task without an image never starts, and CloudFormation would roll the whole stack back. */
  #onceImagesExist(count: number | string): number {
    return Token.asNumber(Fn.conditionIf(this.#props.hasImages.logicalId, count, 0))
  }

  #repository(name: ImageName): ecr.Repository {
    return new ecr.Repository(this, `Images-${name}`, {
      repositoryName: `clicktally/${name}`,
      imageScanOnPush: true,
      imageTagMutability: ecr.TagMutability.IMMUTABLE,
      encryption: ecr.RepositoryEncryption.KMS,
      encryptionKey: this.#props.key,
      lifecycleRules: [{ maxImageCount: 20 }],
      removalPolicy: RemovalPolicy.DESTROY,
    })
  }

  #variables(name: ServiceName): Record<string, string> {
    const { database, broker } = this.#props
    const { clusterEndpoint, clusterReadEndpoint } = database.cluster
    const address = { rabbitmq: broker.address, postgres: `${clusterEndpoint.hostname}:5432` }
    const variables = serverVariables(name, (server) => address[server])
    const secure = Object.entries(variables).map(([key, url]) => [
      key,
      url.startsWith('amqp:') ? url.replace('amqp:', 'amqps:') : `${url}?sslmode=verify-full`,
    ])
    return {
      HOST: '0.0.0.0',
      ...Object.fromEntries(secure),
      ...(name === 'api' && {
        READ_DATABASE_URL: (variables.DATABASE_URL ?? '')
          .replace(address.postgres, `${clusterReadEndpoint.hostname}:5432`)
          .concat('?sslmode=verify-full'),
      }),
      // A quarter of RabbitMQ's default net_ticktime of 60 s, and a margin: Amazon MQ's one address hides that it is a cluster.
      ...(name === 'processor' && { BROKER_REQUEUES_WITHIN_MS: '20000' }),
      // CloudFront sets it, and only through CloudFront can anyone reach the load balancer then.
      ...(name === 'ingest' &&
        this.#props.settings.edgeCertificateArn !== undefined && {
          CLICKTALLY_COUNTRY_HEADER: 'CloudFront-Viewer-Country',
        }),
    }
  }

  #service(
    name: ServiceName | 'nginx',
    { cpu, memoryMiB, min }: Tasks,
    container: {
      environment: Record<string, string>
      secrets: Record<string, ecs.Secret>
      port: number
      healthCheck: string
      readonlyRootFilesystem: boolean
    },
  ): ecs.FargateService {
    const { key, imageTag, run } = this.#props
    const definition = new ecs.FargateTaskDefinition(this, `Task-${name}`, {
      family: `clicktally-${name}`,
      cpu,
      memoryLimitMiB: memoryMiB,
      runtimePlatform: { cpuArchitecture: ecs.CpuArchitecture.ARM64 },
    })
    const { port, healthCheck, ...rest } = container
    definition.addContainer(name, {
      ...rest,
      dockerLabels: { run },
      image: ecs.ContainerImage.fromEcrRepository(this.repositories[name], imageTag),
      ...(name === 'nginx' && { command: ['nginx', '-c', '/tmp/nginx.conf', '-e', 'stderr', '-g', 'daemon off;'] }),
      portMappings: [{ containerPort: port, name }],
      healthCheck: {
        command: ['CMD', 'bash', '-c', healthCheck],
        interval: Duration.seconds(10),
        timeout: Duration.seconds(5),
        retries: 3,
        startPeriod: Duration.seconds(60),
      },
      stopTimeout: Duration.seconds(30),
      logging: ecs.LogDrivers.awsLogs({
        streamPrefix: name,
        logGroup: new logs.LogGroup(this, `Log-${name}`, {
          logGroupName: `/clicktally/${name}`,
          encryptionKey: key,
          retention: logs.RetentionDays.ONE_MONTH,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
      }),
    })
    // A processor that is taken away hands its messages back, so spare capacity at a third of the price is good enough for all but one.
    const spot = [
      { capacityProvider: 'FARGATE', base: 1, weight: 0 },
      { capacityProvider: 'FARGATE_SPOT', weight: 1 },
    ]
    const service = new ecs.FargateService(this, `Service-${name}`, {
      serviceName: name,
      cluster: this.cluster,
      taskDefinition: definition,
      // Of a service that scales, CloudFormation must not set it: each deployment would take away what the load has added.
      desiredCount: this.#onceImagesExist((scaledNames as readonly string[]).includes(name) ? Aws.NO_VALUE : min),
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS },
      // Rolling: all old tasks stay until the new ones are healthy, and a deployment that never gets healthy is rolled back.
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: { rollback: true },
      enableExecuteCommand: false,
      capacityProviderStrategies: name === 'processor' ? spot : [{ capacityProvider: 'FARGATE', weight: 1 }],
      ...(name !== 'nginx' && { cloudMapOptions: { name, dnsTtl: Duration.seconds(5) } }),
    })
    this.byName.set(name, service)
    return service
  }

  /** Where the janitor puts raw clicks that are too old for the database: it reads them back before it removes them there. */
  #addArchive(encryptionKey: kms.IKey): void {
    const janitor = this.get('janitor').taskDefinition
    const bucket = new s3.Bucket(this, 'Archive', {
      encryptionKey,
      encryption: s3.BucketEncryption.KMS,
      bucketKeyEnabled: true,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      versioned: true,
      lifecycleRules: [
        { abortIncompleteMultipartUploadAfter: Duration.days(7), noncurrentVersionExpiration: Duration.days(30) },
        // Still readable at once.
        {
          transitions: [
            { storageClass: s3.StorageClass.GLACIER_INSTANT_RETRIEVAL, transitionAfter: Duration.days(30) },
          ],
        },
      ],
      removalPolicy: RemovalPolicy.RETAIN,
    })
    bucket.grantReadWrite(janitor.taskRole)
    janitor.defaultContainer?.addEnvironment('ARCHIVE_URL', `s3://${bucket.bucketName}/`)
    janitor.defaultContainer?.addEnvironment('ARCHIVE_S3_REGION', Aws.REGION)
  }

  #scaleByCpu(): void {
    for (const name of ['nginx', 'ingest', 'api'] as const) {
      this.scalable(name).scaleOnCpuUtilization('Cpu', {
        targetUtilizationPercent: 60,
        scaleInCooldown: Duration.minutes(5),
        scaleOutCooldown: Duration.seconds(30),
      })
    }
  }
}

function tasksOf({ tasks, others }: Size, name: ServiceName): Tasks {
  return name in tasks ? tasks[name as keyof typeof tasks] : others
}

/** What docker-compose.yml sets for nginx, but for the addresses, and our settings. */
function nginxVariables({ domain }: Settings, vpcCidr: string): Record<string, string> {
  const compose = parse(readFileSync(join(import.meta.dirname, '../../../docker-compose.yml'), 'utf8'), {
    merge: true,
  }) as { services: { nginx: { environment: Record<string, string> } } }
  const own = Object.entries(compose.services.nginx.environment).filter(([, value]) => !value.startsWith('${'))
  const upstreams = serviceNames
    .filter((name) => (parts[name] as Part).networks?.includes('http'))
    .map((name) => [
      `NGINX_${name.toUpperCase()}_SERVERS`,
      `server ${name}.${namespace}:${(parts[name] as Part).port} resolve max_fails=0;`,
    ])
  return {
    // Compose doubles each dollar.
    ...Object.fromEntries(own.map(([name, value]) => [name, value.replaceAll('$$', '$')])),
    ...Object.fromEntries(upstreams),
    NGINX_RESOLVER: resolver,
    CLICKTALLY_HOSTS: domain,
    // The load balancer, and CloudFront's addresses in our network.
    CLICKTALLY_TRUSTED_PROXIES: vpcCidr,
  }
}
