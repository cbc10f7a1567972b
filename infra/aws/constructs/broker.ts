import * as amazonmq from 'aws-cdk-lib/aws-amazonmq'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager'
import { Aws, Fn } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import type { Size } from '../settings.ts'

export interface BrokerProps {
  readonly vpc: ec2.IVpc
  readonly key: kms.IKey
  readonly size: Size
}

const version = '4.2'
const amqpPort = 5671
const managementPort = 443

/**
 * Amazon MQ for RabbitMQ as a cluster of three nodes in three zones. Its address is that of a load balancer, so BROKER_URL has one host.
 *
 * AWS makes one user. The pipeline's step `definitions` loads our users, permissions, queues and policies through the management API,
 * after the cluster exists, so that each queue has a member on every node.
 */
export class Broker extends Construct {
  readonly securityGroup: ec2.SecurityGroup
  readonly admin: secretsmanager.Secret
  readonly broker: amazonmq.CfnBroker

  constructor(scope: Construct, id: string, { vpc, key, size }: BrokerProps) {
    super(scope, id)
    this.securityGroup = new ec2.SecurityGroup(this, 'SecurityGroup', { vpc, allowAllOutbound: false })
    this.admin = new secretsmanager.Secret(this, 'Admin', {
      description: 'The user that Amazon MQ makes; only the step definitions uses it',
      encryptionKey: key,
      generateSecretString: {
        secretStringTemplate: JSON.stringify({ username: 'amazonmq' }),
        generateStringKey: 'password',
        passwordLength: 32,
        excludePunctuation: true,
      },
    })
    const configuration = new amazonmq.CfnConfiguration(this, 'Configuration', {
      name: `${Aws.STACK_NAME}-broker`,
      engineType: 'RABBITMQ',
      engineVersion: version,
      // A day: infra/rabbitmq/rabbitmq.conf says why. Amazon MQ sets memory and disk limits itself.
      data: Fn.base64('consumer_timeout = 86400000\n'),
    })
    this.broker = new amazonmq.CfnBroker(this, 'Broker', {
      brokerName: `${Aws.STACK_NAME}-broker`,
      engineType: 'RABBITMQ',
      engineVersion: version,
      deploymentMode: 'CLUSTER_MULTI_AZ',
      hostInstanceType: size.broker,
      configuration: { id: configuration.attrId, revision: configuration.attrRevision },
      publiclyAccessible: false,
      autoMinorVersionUpgrade: true,
      maintenanceWindowStartTime: { dayOfWeek: 'TUESDAY', timeOfDay: '03:00', timeZone: 'UTC' },
      encryptionOptions: { useAwsOwnedKey: false, kmsKeyId: key.keyArn },
      logs: { general: true },
      subnetIds: vpc.selectSubnets({ subnetType: ec2.SubnetType.PRIVATE_ISOLATED }).subnetIds,
      securityGroups: [this.securityGroup.securityGroupId],
      users: [
        {
          username: this.admin.secretValueFromJson('username').unsafeUnwrap(),
          password: this.admin.secretValueFromJson('password').unsafeUnwrap(),
        },
      ],
    })
  }

  /** Host and port of AMQP over TLS. */
  get address(): string {
    // The only endpoint of a RabbitMQ broker is amqps://host:5671.
    return Fn.select(1, Fn.split('://', Fn.select(0, this.broker.attrAmqpEndpoints)))
  }

  /** Of the management API. */
  get managementUrl(): string {
    return `https://${Fn.select(0, Fn.split(':', this.address))}`
  }

  /** @param management whether it uses the management API, instead of AMQP */
  allowFrom(peer: ec2.IConnectable, management: boolean): void {
    if (management) this.securityGroup.connections.allowFrom(peer, ec2.Port.tcp(managementPort), 'management API')
    else this.securityGroup.connections.allowFrom(peer, ec2.Port.tcp(amqpPort), 'AMQP')
  }
}
