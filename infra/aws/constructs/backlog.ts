import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as autoscaling from 'aws-cdk-lib/aws-applicationautoscaling'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as events from 'aws-cdk-lib/aws-events'
import * as targets from 'aws-cdk-lib/aws-events-targets'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as logs from 'aws-cdk-lib/aws-logs'
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager'
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import type { Broker } from './broker.ts'
import type { Services } from './services.ts'

export interface BacklogProps {
  readonly vpc: ec2.IVpc
  readonly key: kms.IKey
  readonly broker: Broker
  readonly operator: secretsmanager.ISecret
  readonly services: Services
}

const namespace = 'Clicktally'
/** Messages for each processor, of up to 500 clicks each: about a second of its work. */
const messagesPerProcessor = 400

/** Publishes the broker's backlog as a metric, and scales the processors by it. */
export class Backlog extends Construct {
  constructor(scope: Construct, id: string, { vpc, key, broker, operator, services }: BacklogProps) {
    super(scope, id)
    const role = new iam.Role(this, 'Role', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') })
    const publish = new lambda.Function(this, 'Function', {
      description: "Publishes the backlog of the broker's queues",
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      handler: 'index.handler',
      code: lambda.Code.fromInline(readFileSync(join(import.meta.dirname, '../functions/backlog.cjs'), 'utf8')),
      environment: { MANAGEMENT_URL: broker.managementUrl, SECRET_ARN: operator.secretArn },
      environmentEncryption: key,
      timeout: Duration.seconds(30),
      role,
      vpc,
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS },
      logGroup: new logs.LogGroup(this, 'Log', {
        encryptionKey: key,
        retention: logs.RetentionDays.ONE_MONTH,
        removalPolicy: RemovalPolicy.DESTROY,
      }),
    })
    operator.grantRead(publish)
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ['cloudwatch:PutMetricData'],
        // It has no resources; the namespace limits it.
        resources: ['*'],
        conditions: { StringEquals: { 'cloudwatch:namespace': namespace } },
      }),
    )
    broker.allowFrom(publish, true)
    new events.Rule(this, 'EveryMinute', {
      schedule: events.Schedule.rate(Duration.minutes(1)),
      targets: [new targets.LambdaFunction(publish, { retryAttempts: 0 })],
    })
    this.#scale(services)
  }

  metric(name: 'Backlog' | 'BacklogBytes' | 'Consumers' | 'Suspects', statistic = 'Maximum'): cloudwatch.Metric {
    return new cloudwatch.Metric({ namespace, metricName: name, statistic, period: Duration.minutes(1) })
  }

  /** The high-level construct has no metric math for target tracking. */
  #scale(services: Services): void {
    const target = services.scalable('processor')
    const dimensions = [
      { name: 'ClusterName', value: services.cluster.clusterName },
      { name: 'ServiceName', value: services.get('processor').serviceName },
    ]
    new autoscaling.CfnScalingPolicy(this, 'Scaling', {
      policyName: 'backlog-of-each-processor',
      policyType: 'TargetTrackingScaling',
      scalingTargetId: (target.node.findChild('Target').node.defaultChild as autoscaling.CfnScalableTarget).ref,
      targetTrackingScalingPolicyConfiguration: {
        targetValue: messagesPerProcessor,
        scaleInCooldown: 300,
        scaleOutCooldown: 60,
        customizedMetricSpecification: {
          metrics: [
            {
              id: 'backlog',
              returnData: false,
              metricStat: { stat: 'Maximum', metric: { namespace, metricName: 'Backlog' } },
            },
            {
              id: 'processors',
              returnData: false,
              metricStat: {
                stat: 'Average',
                metric: { namespace: 'ECS/ContainerInsights', metricName: 'RunningTaskCount', dimensions },
              },
            },
            { id: 'each', label: 'messages for each processor', expression: 'backlog / processors' },
          ],
        },
      },
    })
  }
}
