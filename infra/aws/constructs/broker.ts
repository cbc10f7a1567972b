import * as amazonmq from 'aws-cdk-lib/aws-amazonmq'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager'
import { Annotations, Aws, Fn } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import type { Settings } from '../settings.ts'

export interface BrokerProps {
  readonly vpc: ec2.IVpc
  readonly key: kms.IKey
  readonly settings: Settings
}

const version = '4.2'
const amqpPort = 5671
const managementPort = 443

/**
 * RabbitMQ: one of your own, by the setting `broker`, or Amazon MQ, a cluster of three nodes in three zones. Its address is that of a load
 * balancer, so BROKER_URL has one host.
 *
 * AWS makes one user. The pipeline's step `Prepare` loads our users, permissions, queues and policies through the management API,
 * after the cluster exists, so that each queue has a member on every node.
 */
export class Broker extends Construct {
  readonly admin: secretsmanager.Secret
  /** The name of Amazon MQ's broker, if there is one. */
  readonly managedName: string | undefined
  /** Host and port of AMQP over TLS. */
  readonly address: string
  readonly #securityGroup: ec2.SecurityGroup | undefined

  constructor(scope: Construct, id: string, props: BrokerProps) {
    super(scope, id)
    this.admin = new secretsmanager.Secret(this, 'Admin', {
      description: 'The administrator of the broker; only the step Prepare uses it',
      encryptionKey: props.key,
      generateSecretString: {
        secretStringTemplate: JSON.stringify({ username: 'amazonmq' }),
        generateStringKey: 'password',
        passwordLength: 32,
        excludePunctuation: true,
      },
    })
    const { brokerHost } = props.settings
    if (brokerHost !== undefined) {
      this.address = `${brokerHost}:${amqpPort}`
      return
    }
    Annotations.of(this).addWarningV2(
      'clicktally:streams',
      'Amazon MQ does not support streams, which Clicktally needs: not for production. docs/aws.md says what is.',
    )
    this.#securityGroup = new ec2.SecurityGroup(this, 'SecurityGroup', { vpc: props.vpc, allowAllOutbound: false })
    const broker = this.#managed(props, this.#securityGroup)
    this.managedName = broker.brokerName
    // The only endpoint of a RabbitMQ broker is amqps://host:5671.
    this.address = Fn.select(1, Fn.split('://', Fn.select(0, broker.attrAmqpEndpoints)))
  }

  #managed({ vpc, key, settings }: BrokerProps, { securityGroupId }: ec2.SecurityGroup): amazonmq.CfnBroker {
    const configuration = new amazonmq.CfnConfiguration(this, 'Configuration', {
      name: `${Aws.STACK_NAME}-broker`,
      engineType: 'RABBITMQ',
      engineVersion: version,
      // A day: infra/rabbitmq/rabbitmq.conf says why. Amazon MQ sets memory and disk limits itself.
      data: Fn.base64('consumer_timeout = 86400000\n'),
    })
    return new amazonmq.CfnBroker(this, 'Broker', {
      brokerName: `${Aws.STACK_NAME}-broker`,
      engineType: 'RABBITMQ',
      engineVersion: version,
      deploymentMode: 'CLUSTER_MULTI_AZ',
      hostInstanceType: settings.size.broker,
      configuration: { id: configuration.attrId, revision: configuration.attrRevision },
      publiclyAccessible: false,
      autoMinorVersionUpgrade: true,
      maintenanceWindowStartTime: { dayOfWeek: 'TUESDAY', timeOfDay: '03:00', timeZone: 'UTC' },
      encryptionOptions: { useAwsOwnedKey: false, kmsKeyId: key.keyArn },
      logs: { general: true },
      subnetIds: vpc.selectSubnets({ subnetType: ec2.SubnetType.PRIVATE_ISOLATED }).subnetIds,
      securityGroups: [securityGroupId],
      users: [
        {
          username: this.admin.secretValueFromJson('username').unsafeUnwrap(),
          password: this.admin.secretValueFromJson('password').unsafeUnwrap(),
        },
      ],
    })
  }

  /** Of the management API. */
  get managementUrl(): string {
    return `https://${Fn.select(0, Fn.split(':', this.address))}`
  }

  /**
   * Of a broker of your own, you decide who reaches it.
   *
   * @param management whether it uses the management API, instead of AMQP
   */
  allowFrom(peer: ec2.IConnectable, management: boolean): void {
    const [port, what] = management ? [managementPort, 'management API'] : [amqpPort, 'AMQP']
    this.#securityGroup?.connections.allowFrom(peer, ec2.Port.tcp(port), what)
  }
}
