import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as backup from 'aws-cdk-lib/aws-backup'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import * as actions from 'aws-cdk-lib/aws-cloudwatch-actions'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as iam from 'aws-cdk-lib/aws-iam'
import { CfnOutput, CfnParameter, Duration, RemovalPolicy, Size, Stack, type StackProps } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'

export interface SingleServerStackProps extends StackProps {
  readonly domain: string
  /** Such as t4g.medium. At least 4 GiB of memory. */
  readonly instanceType: string
  /** What `git clone` takes, and a tag or branch of it. */
  readonly repository: string
  readonly version: string
}

/** user-data.sh waits for it. Amazon Linux makes a link with this name to the volume. */
const dataDevice = '/dev/sdf'

/**
 * The simplest: one machine with docker compose. A day's backup, restarted by AWS when its host fails. While it is away clicks are refused, and
 * senders repeat them.
 */
export class SingleServerStack extends Stack {
  constructor(scope: Construct, id: string, props: SingleServerStackProps) {
    super(scope, id, { description: 'Clicktally on one machine', ...props })
    const vpc = new ec2.Vpc(this, 'Vpc', {
      maxAzs: 1,
      natGateways: 0,
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [{ name: 'public', subnetType: ec2.SubnetType.PUBLIC, mapPublicIpOnLaunch: false }],
    })
    const securityGroup = new ec2.SecurityGroup(this, 'SecurityGroup', { vpc, description: 'HTTP, HTTPS, HTTP/3' })
    for (const port of [ec2.Port.tcp(80), ec2.Port.tcp(443), ec2.Port.udp(443)]) {
      securityGroup.addIngressRule(ec2.Peer.anyIpv4(), port)
    }
    // A parameter, which CloudFormation keeps. `latestAmazonLinux2023` is looked up anew by each deployment, and a new image is a new machine.
    const image = new CfnParameter(this, 'Image', {
      type: 'AWS::EC2::Image::Id',
      description: 'The image that the machine was made from. Another one replaces the machine: docs/aws.md',
    })
    const instance = new ec2.Instance(this, 'Server', {
      vpc,
      securityGroup,
      instanceType: new ec2.InstanceType(props.instanceType),
      machineImage: {
        getImage: () => ({
          imageId: image.valueAsString,
          osType: ec2.OperatingSystemType.LINUX,
          userData: ec2.UserData.forLinux(),
        }),
      },
      requireImdsv2: true,
      detailedMonitoring: true,
      // A shell without an open port: `aws ssm start-session`.
      ssmSessionPermissions: true,
      blockDevices: [
        {
          deviceName: '/dev/xvda',
          volume: ec2.BlockDeviceVolume.ebs(30, { volumeType: ec2.EbsDeviceVolumeType.GP3, encrypted: true }),
        },
      ],
      userData: ec2.UserData.custom(userData(props)),
    })
    instance.instance.disableApiTermination = true
    // Of Docker's volumes: database, queue, secrets, certificates. It outlives the machine and the stack.
    const [availabilityZone = ''] = vpc.availabilityZones
    const data = new ec2.Volume(this, 'Data', {
      availabilityZone,
      size: Size.gibibytes(100),
      volumeType: ec2.EbsDeviceVolumeType.GP3,
      encrypted: true,
      removalPolicy: RemovalPolicy.RETAIN,
    })
    // While the old machine has the volume a new one cannot get it: a replacement that was not meant fails and is rolled back.
    const attachment = new ec2.CfnVolumeAttachment(this, 'DataAttachment', {
      device: dataDevice,
      instanceId: instance.instanceId,
      volumeId: data.volumeId,
    })
    const address = new ec2.CfnEIP(this, 'Address', { instanceId: instance.instanceId })
    address.addResourceDependency(attachment)
    new CfnOutput(this, 'PublicAddress', { value: address.ref })

    new cloudwatch.Alarm(this, 'HostFailed', {
      alarmDescription: "The instance's host has failed: it is started on another",
      metric: new cloudwatch.Metric({
        namespace: 'AWS/EC2',
        metricName: 'StatusCheckFailed_System',
        dimensionsMap: { InstanceId: instance.instanceId },
        statistic: 'Maximum',
        period: Duration.minutes(1),
      }),
      threshold: 1,
      evaluationPeriods: 2,
    }).addAlarmAction(new actions.Ec2Action(actions.Ec2InstanceAction.RECOVER))

    // Of the machine with both disks, so queue and database are of the same moment.
    const plan = backup.BackupPlan.daily35DayRetention(this, 'Backup')
    plan.addSelection('Server', {
      resources: [backup.BackupResource.fromEc2Instance(instance)],
      role: new iam.Role(this, 'BackupRole', {
        assumedBy: new iam.ServicePrincipal('backup.amazonaws.com'),
        managedPolicies: [
          iam.ManagedPolicy.fromAwsManagedPolicyName('service-role/AWSBackupServiceRolePolicyForBackup'),
        ],
      }),
    })
  }
}

function userData({ domain, repository, version }: SingleServerStackProps): string {
  const values: Record<string, string> = {
    DOMAIN: domain,
    REPOSITORY: repository,
    VERSION: version,
    DEVICE: dataDevice,
  }
  const script = readFileSync(join(import.meta.dirname, 'user-data.sh'), 'utf8')
  return script.replaceAll(/@(\w+)@/g, (_, name: string) => values[name] ?? '')
}
