import { databaseName, databaseOwner } from '@clicktally/system/parts.ts'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as rds from 'aws-cdk-lib/aws-rds'
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager'
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import type { Size } from '../settings.ts'

export interface DatabaseProps {
  readonly vpc: ec2.IVpc
  readonly key: kms.IKey
  readonly size: Size
}

/**
 * Aurora PostgreSQL. A commit is acknowledged when four of six copies in three zones have it, so no failover loses one: what a synchronous
 * standby is elsewhere. The api reads from a reader.
 */
export class Database extends Construct {
  readonly cluster: rds.DatabaseCluster

  constructor(scope: Construct, id: string, { vpc, key, size }: DatabaseProps) {
    super(scope, id)
    const engine = rds.DatabaseClusterEngine.auroraPostgres({
      version: rds.AuroraPostgresEngineVersion.of('18.3', '18'),
    })
    const parameters = new rds.ParameterGroup(this, 'Parameters', {
      engine,
      description: 'Clicktally',
      parameters: {
        // Not the details of an error: of a refused row they have every column, visitors included.
        log_error_verbosity: 'terse',
        'rds.force_ssl': '1',
      },
    })
    const instance = {
      instanceType: new ec2.InstanceType(size.database),
      caCertificate: rds.CaCertificate.RDS_CA_RSA2048_G1,
      enablePerformanceInsights: true,
      performanceInsightEncryptionKey: key,
    }
    const readers = Array.from({ length: size.databaseInstances - 1 }, (_, index) =>
      // Promoted first, and as large as the writer.
      rds.ClusterInstance.provisioned(`Reader${index + 1}`, { ...instance, promotionTier: index === 0 ? 0 : 1 }),
    )
    this.cluster = new rds.DatabaseCluster(this, 'Cluster', {
      engine,
      vpc,
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
      parameterGroup: parameters,
      credentials: rds.Credentials.fromGeneratedSecret(databaseOwner, { encryptionKey: key }),
      defaultDatabaseName: databaseName,
      writer: rds.ClusterInstance.provisioned('Writer', instance),
      readers,
      storageEncrypted: true,
      storageEncryptionKey: key,
      // Clicktally writes all day: without it each write would be paid for by itself.
      storageType: rds.DBClusterStorageType.AURORA_IOPT1,
      backup: { retention: Duration.days(14) },
      deletionProtection: true,
      removalPolicy: RemovalPolicy.SNAPSHOT,
      cloudwatchLogsExports: ['postgresql'],
      monitoringInterval: Duration.minutes(1),
    })
    // Of the owner, whose password only the migrations use: they read it at each run. The function that replaces it also has to reach
    // Secrets Manager, which the subnets of the data cannot.
    this.cluster.addRotationSingleUser({
      automaticallyAfter: Duration.days(30),
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS },
    })
  }

  get owner(): secretsmanager.ISecret {
    if (this.cluster.secret === undefined) throw new Error('the cluster has no secret')
    return this.cluster.secret
  }
}
