import { type App, Validations } from 'aws-cdk-lib/core'
import type { IConstruct } from 'constructs'

/** Findings of cdk-nag, and of the CDK's own check of templates, below a construct that are as they should be, and why. */
interface Acknowledged {
  /** The path of the construct, the stack included. */
  readonly path: string
  readonly rules: readonly string[]
  readonly reason: string
}

const artifacts = '<DeliveryArtifactsAC79D864.Arn>/*'
const arn = (service: string, rest: string) => `arn:<AWS::Partition>:${service}:<AWS::Region>:<AWS::AccountId>:${rest}`
const managed = (name: string) => `IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/${name}]`
const stepsOfDelivery = ['DeliveryTest1F9F8E44', 'DeliveryImagesD5D40916', 'DeliveryPrepare775C814D']

const acknowledged: readonly Acknowledged[] = [
  {
    path: 'Clicktally/Secrets',
    rules: ['SMG4'],
    reason:
      'The servers store these passwords too. store-secrets.sh --rotate replaces them, and a run of the pipeline passes them on; nothing else could do both at once.',
  },
  {
    path: 'Clicktally/Broker/Admin',
    rules: ['SMG4'],
    reason:
      'Amazon MQ takes a new password of its user only with a restart, and a RabbitMQ of your own stores it too. No service uses it.',
  },
  {
    path: 'Clicktally/Broker/Broker',
    rules: ['CloudFormation-Validate::E3670'],
    reason:
      "The check's list of host types is older than mq.m7g.2xlarge, which AWS's table of resource limits for RabbitMQ 4 has.",
  },
  {
    path: 'Clicktally/Database/Cluster',
    rules: ['RDS6'],
    reason:
      'Each service has a role of its own with few rights and a password of 256 bits, from within the network only.',
  },
  {
    path: 'Clicktally/Database/Cluster/MonitoringRole',
    rules: [managed('service-role/AmazonRDSEnhancedMonitoringRole')],
    reason: 'It is the policy that AWS makes for this purpose.',
  },
  {
    path: 'Clicktally/Services',
    rules: ['ECS2'],
    reason: 'These variables are addresses and limits. Secrets come from Secrets Manager.',
  },
  {
    path: 'Clicktally/Services',
    rules: ['IAM5[Resource::*]'],
    reason: 'ecr:GetAuthorizationToken has no resources.',
  },
  {
    path: 'Clicktally/Services/Archive',
    rules: ['S1'],
    reason: 'Only the janitor reads and writes it, and its log says what it has done.',
  },
  {
    path: 'Clicktally/Services/Task-janitor',
    rules: [
      ...['s3:Abort*', 's3:DeleteObject*', 's3:GetBucket*', 's3:GetObject*', 's3:List*'].map(
        (action) => `IAM5[Action::${action}]`,
      ),
      ...['kms:GenerateDataKey*', 'kms:ReEncrypt*'].map((action) => `IAM5[Action::${action}]`),
      'IAM5[Resource::<ServicesArchive90DA8C66.Arn>/*]',
    ],
    reason: 'It writes, compares and removes the objects of its own bucket.',
  },
  {
    path: 'Clicktally/Backlog/Role',
    rules: ['IAM5[Resource::*]'],
    reason:
      'cloudwatch:PutMetricData and the network interfaces of functions have no resources. The namespace is limited.',
  },
  {
    path: 'Clicktally/Entry/LoadBalancer',
    rules: ['ELB2'],
    reason: 'Access logs have the addresses of visitors, of which Clicktally keeps none (docs/privacy.md).',
  },
  {
    path: 'Clicktally/Entry/LoadBalancer/SecurityGroup',
    rules: ['EC23'],
    reason: 'It is the public entrance.',
  },
  {
    path: 'Clicktally/Entry/Edge',
    rules: ['CFR3'],
    reason: 'Access logs have the addresses of visitors, of which Clicktally keeps none (docs/privacy.md).',
  },
  {
    path: 'Clicktally/Entry/Edge',
    rules: ['CFR1', 'CFR2'],
    reason:
      'Clicks come from everywhere. The firewall is at the load balancer, so that it also covers what does not pass CloudFront.',
  },
  {
    path: 'Clicktally/Operations/OWNER',
    rules: [
      managed('CloudWatchReadOnlyAccess'),
      managed('SecurityAudit'),
      'IAM5[Resource::*]',
      `IAM5[Resource::${arn('cloudformation', 'stack/<AWS::StackName>/*')}]`,
    ],
    reason:
      "AWS keeps the policies for reading up to date. Tasks have no names before they run, so they are limited to the cluster by a condition; a stack's ARN ends with a random part.",
  },
  {
    path: 'Clicktally/Operations/AUDITOR',
    rules: [managed('CloudWatchReadOnlyAccess'), managed('SecurityAudit')],
    reason: 'AWS keeps the policies for reading up to date. Secrets and data are denied besides.',
  },
  {
    path: 'Clicktally/Delivery/Artifacts',
    rules: ['S1'],
    reason: 'It holds copies of sources and templates for 30 days, and only the pipeline reads it.',
  },
  {
    path: 'Clicktally/Delivery',
    rules: [
      ...[
        's3:Abort*',
        's3:DeleteObject*',
        's3:GetBucket*',
        's3:GetObject*',
        's3:List*',
        'kms:GenerateDataKey*',
        'kms:ReEncrypt*',
      ],
      ...['cloudformation:DescribeStack*', 'cloudformation:GetTemplate*'],
    ]
      .map((action) => `IAM5[Action::${action}]`)
      .concat(
        [
          artifacts,
          arn('cloudformation', 'stack/<AWS::StackName>/*'),
          arn('ec2', 'network-interface/*'),
          ...stepsOfDelivery.flatMap((step) => [
            arn('logs', `log-group:/aws/codebuild/<${step}>:*`),
            arn('codebuild', `report-group/<${step}>-*`),
          ]),
          '*',
        ].map((resource) => `IAM5[Resource::${resource}]`),
      ),
    reason:
      'Made by the constructs of the CDK for their own bucket, key, logs and network interfaces. ecr:GetAuthorizationToken and ec2:Describe* have no resources.',
  },
  {
    path: 'Clicktally/Delivery/Pipeline/Deploy/stack/Role',
    rules: ['IAM5[Action::*]'],
    reason: 'CloudFormation makes everything in the stack with it, roles included. Only CloudFormation may assume it.',
  },
  {
    path: 'ClicktallySingleServer/Vpc',
    rules: ['VPC7'],
    reason: 'A flow log would cost more than it tells on one machine, and has the addresses of visitors.',
  },
  {
    path: 'ClicktallySingleServer/SecurityGroup',
    rules: ['EC23'],
    reason: 'It is the public entrance.',
  },
  {
    path: 'ClicktallySingleServer/Server',
    rules: [managed('AmazonSSMManagedInstanceCore')],
    reason: 'It is the policy that AWS makes for this purpose.',
  },
  {
    path: 'ClicktallySingleServer/BackupRole',
    rules: [managed('service-role/AWSBackupServiceRolePolicyForBackup')],
    reason: 'It is the policy that AWS makes for this purpose.',
  },
]

/** Acknowledges the findings above. Constructs that are not part of this app are passed over. */
export function acknowledgeFindings(app: App): void {
  for (const { path, rules, reason } of acknowledged) {
    const construct = path
      .split('/')
      .reduce<IConstruct | undefined>((parent, name) => parent?.node.tryFindChild(name), app)
    if (construct === undefined) continue
    Validations.of(construct).acknowledge(
      ...rules.map((rule) => ({
        id: rule.startsWith('CloudFormation-') ? rule : `AwsSolutions::AwsSolutions-${rule}`,
        reason,
      })),
    )
  }
}
