import { brokerUsers, loginRoles } from '@clicktally/system/accounts.ts'
import { databaseName, databaseOwner } from '@clicktally/system/parts.ts'
import * as codebuild from 'aws-cdk-lib/aws-codebuild'
import * as codepipeline from 'aws-cdk-lib/aws-codepipeline'
import * as actions from 'aws-cdk-lib/aws-codepipeline-actions'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as logs from 'aws-cdk-lib/aws-logs'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { Aws, CfnCapabilities, Duration, RemovalPolicy } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import type { Settings } from '../settings.ts'
import type { AccountSecrets } from './account-secrets.ts'
import type { Broker } from './broker.ts'
import type { Database } from './database.ts'
import { imageNames, type Services } from './services.ts'

export interface DeliveryProps {
  readonly vpc: ec2.IVpc
  readonly key: kms.IKey
  readonly source: NonNullable<Settings['source']>
  /** What the build passes to `cdk synth`. */
  readonly context: Readonly<Record<string, string>>
  readonly services: Services
  readonly secrets: AccountSecrets
  readonly database: Database
  readonly broker: Broker
}

/**
 * Source → test → build images → prepare (broker's definitions, migrations) → deploy. The migrations run before the new services: each of
 * them says whether the old ones may run beside it. ECS replaces tasks one after the other and rolls back what does not get healthy. Every
 * run replaces all, so that they read their secrets again.
 */
export class Delivery extends Construct {
  readonly #props: DeliveryProps
  readonly #logs: logs.LogGroup

  constructor(scope: Construct, id: string, props: DeliveryProps) {
    super(scope, id)
    this.#props = props
    const { key, source } = props
    this.#logs = new logs.LogGroup(this, 'Log', {
      encryptionKey: key,
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    const artifacts = new s3.Bucket(this, 'Artifacts', {
      encryptionKey: key,
      encryption: s3.BucketEncryption.KMS,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      lifecycleRules: [{ expiration: Duration.days(30) }],
      removalPolicy: RemovalPolicy.RETAIN,
    })
    const sources = new codepipeline.Artifact('sources')
    const template = new codepipeline.Artifact('template')
    const [owner = '', repo = ''] = source.repository.split('/')
    const checkOut = new actions.CodeStarConnectionsSourceAction({
      actionName: 'sources',
      connectionArn: source.connectionArn,
      ...{ owner, repo, branch: source.branch, output: sources, variablesNamespace: 'source' },
    })
    const COMMIT = { value: checkOut.variables.commitId }
    const build = (actionName: string, project: codebuild.Project, outputs: codepipeline.Artifact[] = []) =>
      new actions.CodeBuildAction({ actionName, project, input: sources, outputs, environmentVariables: { COMMIT } })
    new codepipeline.Pipeline(this, 'Pipeline', {
      pipelineType: codepipeline.PipelineType.V2,
      executionMode: codepipeline.ExecutionMode.QUEUED,
      artifactBucket: artifacts,
      stages: [
        { stageName: 'Source', actions: [checkOut] },
        { stageName: 'Test', actions: [build('test', this.#test())] },
        { stageName: 'Build', actions: [build('images', this.#images(), [template])] },
        { stageName: 'Prepare', actions: [build('migrate', this.#prepare())] },
        {
          stageName: 'Deploy',
          actions: [
            new actions.CloudFormationCreateUpdateStackAction({
              actionName: 'stack',
              stackName: Aws.STACK_NAME,
              templatePath: template.atPath('Clicktally.template.json'),
              parameterOverrides: {
                ImageTag: checkOut.variables.commitId,
                Run: codepipeline.GlobalVariables.executionId,
              },
              // It makes the roles of the tasks and of people.
              adminPermissions: true,
              // The second for the function that replaces the database owner's password: an application of AWS's own repository.
              cfnCapabilities: [CfnCapabilities.NAMED_IAM, CfnCapabilities.AUTO_EXPAND],
            }),
          ],
        },
      ],
    })
  }

  #project(
    name: string,
    phases: readonly string[],
    more: Partial<codebuild.ProjectProps> & { artifacts?: never } = {},
    files: readonly string[] = [],
  ): codebuild.Project {
    return new codebuild.Project(this, name, {
      encryptionKey: this.#props.key,
      logging: { cloudWatch: { logGroup: this.#logs, prefix: name } },
      timeout: Duration.hours(1),
      ...more,
      environment: {
        buildImage: codebuild.LinuxArmBuildImage.AMAZON_LINUX_2_STANDARD_3_0,
        computeType: codebuild.ComputeType.LARGE,
        privileged: true,
        ...more.environment,
      },
      buildSpec: codebuild.BuildSpec.fromObject({
        version: '0.2',
        phases: { build: { commands: ['set -e', ...phases] } },
        ...(files.length > 0 && { artifacts: { files, 'discard-paths': true } }),
      }),
    })
  }

  #test(): codebuild.Project {
    return this.#project('Test', ['bash .ci/run'])
  }

  #images(): codebuild.Project {
    const registry = `${Aws.ACCOUNT_ID}.dkr.ecr.${Aws.REGION}.${Aws.URL_SUFFIX}`
    const context = Object.entries(this.#props.context).map(([name, value]) => `-c ${name}=${value}`)
    const project = this.#project(
      'Images',
      [
        `aws ecr get-login-password | docker login --username AWS --password-stdin ${registry}`,
        `VERSION=$(node --print 'require("./package.json").version')`,
        // The database's certificate is of Amazon's own authority.
        'curl -fsSo rds.pem https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem',
        ...imageNames.flatMap((name) => {
          const image = `${registry}/clicktally/${name}:$COMMIT`
          const [folder, target] =
            name === 'nginx' ? ['web', 'nginx'] : [name === 'migrate' ? 'migrations' : `services/${name}`, 'service']
          return [
            // The labels of the image, as docker-compose.yml sets them.
            `docker build --target ${target} --build-arg SERVICE=${folder} --build-arg VERSION=$VERSION --build-arg REVISION=$COMMIT --tag built .`,
            `docker build --file infra/aws/image.Dockerfile --tag ${image} .`,
            // A tag is never replaced: a second run for the same commit finds its image.
            `docker manifest inspect ${image} >/dev/null 2>&1 || docker push ${image}`,
          ]
        }),
        `npm run aws -- synth ${context.join(' ')} --quiet`,
      ],
      {},
      ['infra/aws/cdk.out/Clicktally.template.json'],
    )
    for (const repository of Object.values(this.#props.services.repositories)) repository.grantPullPush(project)
    return project
  }

  /** In our network, since neither broker nor database can be reached from outside. */
  #prepare(): codebuild.Project {
    const { vpc, secrets, database, broker, services } = this.#props
    const { cluster, owner } = database
    const fromSecret = (value: string) => ({ type: codebuild.BuildEnvironmentVariableType.SECRETS_MANAGER, value })
    const fileOf = (account: string, file: string) => fromSecret(`${secrets.of(account).secretArn}:${file}`)
    const url = `postgres://${databaseOwner}@${cluster.clusterEndpoint.hostname}:5432/${databaseName}?sslmode=verify-full`
    const variables = ['DATABASE_URL', 'DATABASE_PASSWORD', ...loginRoles.map(({ password }) => password.variable)]
    const image = `${services.repositories.migrate.repositoryUri}:$COMMIT`
    const project = this.#project(
      'Prepare',
      [
        // Users, permissions, queues and policies of this release; what exists is replaced or left as it is.
        'node scripts/run.mjs infra/secrets/main.ts --definitions definitions.json',
        `printf 'user = "%s:%s"\\n' "$ADMIN_USER" "$ADMIN_PASSWORD" > curlrc`,
        `curl -fsS --config curlrc --json @definitions.json "${broker.managementUrl}/api/definitions"`,
        `aws ecr get-login-password | docker login --username AWS --password-stdin ${Aws.ACCOUNT_ID}.dkr.ecr.${Aws.REGION}.${Aws.URL_SUFFIX}`,
        `docker run --rm ${variables.map((name) => `--env ${name}`).join(' ')} ${image}`,
      ],
      {
        vpc,
        subnetSelection: { subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS },
        environmentVariables: {
          ...Object.fromEntries(
            brokerUsers.map(({ user }) => [`${user.toUpperCase()}_BROKER_PASSWORD`, fileOf(user, 'broker-password')]),
          ),
          ADMIN_USER: fromSecret(`${broker.admin.secretArn}:username`),
          ADMIN_PASSWORD: fromSecret(`${broker.admin.secretArn}:password`),
          DATABASE_URL: { value: url },
          DATABASE_PASSWORD: fromSecret(`${owner.secretArn}:password`),
          ...Object.fromEntries(
            loginRoles.map(({ password: { variable, file } }) => [variable, fileOf('migrate', file)]),
          ),
        },
      },
    )
    services.repositories.migrate.grantPull(project)
    broker.allowFrom(project, true)
    cluster.connections.allowDefaultPortFrom(project)
    return project
  }
}
