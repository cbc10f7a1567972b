import * as iam from 'aws-cdk-lib/aws-iam'
import * as kms from 'aws-cdk-lib/aws-kms'
import { Aws, CfnCondition, CfnParameter, Fn, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { AccountSecrets } from './constructs/account-secrets.ts'
import { Backlog } from './constructs/backlog.ts'
import { Broker } from './constructs/broker.ts'
import { Database } from './constructs/database.ts'
import { Delivery } from './constructs/delivery.ts'
import { Entry } from './constructs/entry.ts'
import { Network } from './constructs/network.ts'
import { Operations } from './constructs/operations.ts'
import { Services } from './constructs/services.ts'
import type { Settings } from './settings.ts'

export interface ClicktallyStackProps extends StackProps {
  readonly settings: Settings
  /** What the settings were read from, for the pipeline. */
  readonly context: Readonly<Record<string, string>>
}

/** The tag of the first deployment, which makes what the pipeline needs to build images. */
const noImages = '0000000'

/** Clicktally in three availability zones, on managed servers: docs/aws.md describes it. */
export class ClicktallyStack extends Stack {
  constructor(scope: Construct, id: string, { settings, context, ...props }: ClicktallyStackProps) {
    super(scope, id, {
      description: 'Clicktally: a click counter that counts every accepted click exactly once',
      ...props,
    })
    const imageTag = new CfnParameter(this, 'ImageTag', {
      description: 'The commit of which the images are: set by the pipeline',
      allowedPattern: '[0-9a-f]{7,40}',
    }).valueAsString
    const run = new CfnParameter(this, 'Run', {
      description: 'The run of the pipeline: each one replaces all tasks',
      default: 'none',
    }).valueAsString
    const hasImages = new CfnCondition(this, 'HasImages', {
      expression: Fn.conditionNot(Fn.conditionEquals(imageTag, noImages)),
    })
    const key = new kms.Key(this, 'Key', {
      alias: `${Aws.STACK_NAME}`,
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.RETAIN,
    })
    key.grantEncryptDecrypt(new iam.ServicePrincipal(`logs.${Aws.REGION}.amazonaws.com`))
    const { vpc } = new Network(this, 'Network', key)
    const shared = { vpc, key, settings, size: settings.size }
    const secrets = new AccountSecrets(this, 'Secrets', key)
    const database = new Database(this, 'Database', shared)
    const broker = new Broker(this, 'Broker', shared)
    const services = new Services(this, 'Services', { ...shared, database, broker, secrets, imageTag, hasImages, run })
    const entry = new Entry(this, 'Entry', { ...shared, services })
    const backlog = new Backlog(this, 'Backlog', { ...shared, broker, services, operator: secrets.of('operator') })
    const { alarmEmail, source } = settings
    new Operations(this, 'Operations', { key, entry, backlog, broker, database, services, secrets, alarmEmail })
    if (source) new Delivery(this, 'Delivery', { ...shared, source, context, services, secrets, database, broker })
  }

  /** Three, in any region and account: the broker's cluster needs them, and by default a stack without a region has two. */
  override get availabilityZones(): string[] {
    return [0, 1, 2].map((index) => Fn.select(index, Fn.getAzs()))
  }
}
