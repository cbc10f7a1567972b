import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import * as actions from 'aws-cdk-lib/aws-cloudwatch-actions'
import * as elb from 'aws-cdk-lib/aws-elasticloadbalancingv2'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as sns from 'aws-cdk-lib/aws-sns'
import * as subscriptions from 'aws-cdk-lib/aws-sns-subscriptions'
import { Aws, Duration } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import type { AccountSecrets } from './account-secrets.ts'
import type { Backlog } from './backlog.ts'
import type { Broker } from './broker.ts'
import type { Database } from './database.ts'
import type { Entry } from './entry.ts'
import type { Services } from './services.ts'

export interface OperationsProps {
  readonly key: kms.Key
  readonly entry: Entry
  readonly backlog: Backlog
  readonly broker: Broker
  readonly database: Database
  readonly services: Services
  readonly secrets: AccountSecrets
  readonly alarmEmail: string | undefined
}

/** Of the policy `clicks` in packages/broker/definitions.ts. */
const maxQueueBytes = 2_147_483_648

/** Alarms, a dashboard, and a role each for who runs the system and who looks at it. */
export class Operations extends Construct {
  readonly #topic: sns.Topic

  constructor(scope: Construct, id: string, props: OperationsProps) {
    super(scope, id)
    const { key, alarmEmail } = props
    this.#topic = new sns.Topic(this, 'Alarms', { masterKey: key, enforceSSL: true })
    key.grantEncryptDecrypt(new iam.ServicePrincipal('cloudwatch.amazonaws.com'))
    if (alarmEmail !== undefined) this.#topic.addSubscription(new subscriptions.EmailSubscription(alarmEmail))
    this.#addAlarms(props)
    this.#addRoles(props)
  }

  #addAlarms({ entry, backlog, broker, database, services }: OperationsProps): void {
    const minute = { period: Duration.minutes(1) }
    const { metrics } = entry.loadBalancer
    const refused = metrics.httpCodeTarget(elb.HttpCodeTarget.TARGET_5XX_COUNT, minute)
    const waiting = backlog.metric('Backlog')
    const consumers = backlog.metric('Consumers', 'Minimum')
    const healthy = entry.targets.metrics.healthyHostCount({ ...minute, statistic: 'Minimum' })
    const databaseCpu = database.cluster.metricCPUUtilization(minute)
    // A broker of your own has no metrics here.
    const brokerCpu =
      broker.managedName === undefined
        ? []
        : [
            new cloudwatch.Metric({
              ...minute,
              namespace: 'AWS/AmazonMQ',
              metricName: 'SystemCpuUtilization',
              statistic: 'Maximum',
              dimensionsMap: { Broker: broker.managedName },
            }),
          ]

    // The names are those of docs/operations.md, which says what to do.
    this.#alarm('ServiceDown', healthy, 1, 'No nginx is healthy: nothing is accepted.', 2, 'less')
    this.#alarm('ServerErrors', refused, 50, 'Requests are answered with a 5xx status.', 5)
    this.#alarm('BacklogLarge', waiting, 100_000, 'More clicks arrive than the processors count.', 10)
    // Messages of many clicks fill the queue long before there are as many as above.
    this.#alarm(
      'QueueHalfFull',
      backlog.metric('BacklogBytes'),
      maxQueueBytes / 2,
      'At twice as many bytes clicks are refused.',
      5,
    )
    this.#alarm(
      'QueueWithoutConsumer',
      consumers,
      1,
      'No processor reads the queue, or the broker does not answer.',
      3,
      'less',
    )
    this.#alarm('SuspectsWaiting', backlog.metric('Suspects'), 1, 'Messages of crashed processors wait.', 10)
    this.#alarm('DatabaseBusy', databaseCpu, 85, 'The database is the limit.', 15)
    for (const each of brokerCpu) this.#alarm('BrokerBusy', each, 85, 'The broker is the limit.', 15)

    new cloudwatch.Dashboard(this, 'Dashboard', {
      dashboardName: `${Aws.STACK_NAME}`,
      widgets: [
        [
          graph('requests', metrics.requestCount(minute), refused),
          graph('seconds', metrics.targetResponseTime({ ...minute, statistic: 'p99' })),
          graph('messages that wait', waiting, backlog.metric('Suspects')),
        ],
        [
          graph('CPU of the database, %', databaseCpu),
          graph('CPU of the broker, %', ...brokerCpu),
          graph(
            'CPU of the services, %',
            ...[...services.byName.values()].map((service) => service.metricCpuUtilization(minute)),
          ),
        ],
      ],
    })
  }

  /** Missing data is an alarm too: it comes from a broker or a load balancer that does not answer. */
  #alarm(
    name: string,
    metric: cloudwatch.IMetric,
    threshold: number,
    alarmDescription: string,
    evaluationPeriods: number,
    side: 'less' | 'more' = 'more',
  ): void {
    const { LESS_THAN_THRESHOLD, GREATER_THAN_OR_EQUAL_TO_THRESHOLD } = cloudwatch.ComparisonOperator
    const { BREACHING, NOT_BREACHING } = cloudwatch.TreatMissingData
    const alarm = new cloudwatch.Alarm(this, name, {
      ...{ metric, threshold, alarmDescription, evaluationPeriods },
      comparisonOperator: side === 'less' ? LESS_THAN_THRESHOLD : GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: side === 'less' ? BREACHING : NOT_BREACHING,
    })
    alarm.addAlarmAction(new actions.SnsAction(this.#topic))
    alarm.addOkAction(new actions.SnsAction(this.#topic))
  }

  #addRoles({ key, secrets, database, services }: OperationsProps): void {
    // People of this account who have signed in with a second factor.
    const assumedBy = new iam.AccountPrincipal(Aws.ACCOUNT_ID).withConditions({
      Bool: { 'aws:MultiFactorAuthPresent': 'true' },
    })
    const role = (name: 'OWNER' | 'AUDITOR', description: string) =>
      new iam.Role(this, name, {
        ...{ assumedBy, description },
        roleName: `clicktally-${name}`,
        maxSessionDuration: Duration.hours(4),
      })
    const owner = role('OWNER', 'Runs Clicktally: deploys, scales, reads and replaces its secrets')
    const auditor = role('AUDITOR', 'Looks at configuration, logs and metrics of Clicktally; no secrets, no data')

    const { cluster } = services
    const allServices = [...services.byName.values()].map(({ serviceArn }) => serviceArn)
    owner.addToPolicy(
      new iam.PolicyStatement({
        actions: ['ecs:UpdateService', 'ecs:DescribeServices'],
        resources: allServices,
      }),
    )
    owner.addToPolicy(
      new iam.PolicyStatement({
        actions: ['ecs:ListTasks', 'ecs:DescribeTasks', 'ecs:StopTask'],
        resources: ['*'],
        conditions: { ArnEquals: { 'ecs:cluster': cluster.clusterArn } },
      }),
    )
    for (const secret of [...secrets.all, database.owner]) {
      secret.grantRead(owner)
      secret.grantWrite(owner)
    }
    const stack = `arn:${Aws.PARTITION}:cloudformation:${Aws.REGION}:${Aws.ACCOUNT_ID}:stack/${Aws.STACK_NAME}/*`
    const deploy = [
      'cloudformation:DescribeStacks',
      'cloudformation:DescribeStackEvents',
      'cloudformation:ContinueUpdateRollback',
    ]
    owner.addToPolicy(new iam.PolicyStatement({ actions: deploy, resources: [stack] }))

    for (const each of [owner, auditor]) {
      for (const policy of ['CloudWatchReadOnlyAccess', 'SecurityAudit']) {
        each.addManagedPolicy(iam.ManagedPolicy.fromAwsManagedPolicyName(policy))
      }
    }
    auditor.addToPolicy(
      new iam.PolicyStatement({
        effect: iam.Effect.DENY,
        actions: ['secretsmanager:GetSecretValue', 'kms:Decrypt', 's3:GetObject', 'rds-data:*'],
        resources: ['*'],
      }),
    )
    key.grantDecrypt(owner)
  }
}

function graph(title: string, ...left: cloudwatch.IMetric[]): cloudwatch.GraphWidget {
  return new cloudwatch.GraphWidget({ title, left, width: 8, leftYAxis: { min: 0 } })
}
