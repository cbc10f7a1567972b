import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { brokerUsers, secretsOf, serverVariables } from '@clicktally/system/accounts.ts'
import { type Part, parts, serviceNames } from '@clicktally/system/parts.ts'
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions'
import type { Stack } from 'aws-cdk-lib/core'
import { createApp } from '../app.ts'
import { imageNames, serviceCheck } from '../constructs/services.ts'
import { type SizeName, sizes } from '../settings.ts'

const certificate = 'arn:aws:acm:eu-central-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef'
const usual = { domain: 'counts.example.org', certificate }
const edge = { ...usual, 'edge-certificate': certificate.replace('eu-central-1', 'us-east-1') }
const pipeline = {
  ...usual,
  connection: 'arn:aws:codeconnections:eu-central-1:123456789012:connection/01234567-89ab-cdef-0123-456789abcdef',
  repository: 'owner/clicktally',
}

/** Fails if cdk-nag finds anything that is not acknowledged. */
function templateOf(context: Record<string, string>): Template {
  const app = createApp({ context })
  return Template.fromStack(app.node.findChild('Clicktally') as Stack)
}

interface Container {
  Name: string
  Environment?: { Name: string; Value: unknown }[]
  Secrets?: { Name: string }[]
  ReadonlyRootFilesystem: boolean
  HealthCheck: { Command: string[] }
  DockerLabels: object
}

function containersOf(template: Template): Map<string, Container> {
  const tasks = Object.values(template.findResources('AWS::ECS::TaskDefinition'))
  return new Map(
    tasks.map(({ Properties }) => [Properties.ContainerDefinitions[0].Name, Properties.ContainerDefinitions[0]]),
  )
}

describe('the stack', () => {
  const template = templateOf({ ...pipeline, 'alarm-email': 'ops@example.org' })

  test('sets exactly the variables that each service reads for its servers and secrets', () => {
    const containers = containersOf(template)
    for (const name of serviceNames) {
      const { Environment = [], Secrets = [] } = containers.get(name) as Container
      const { settings = [] }: Part = parts[name]
      const needed = ['HOST', ...Object.keys(serverVariables(name, () => 'host:1'))]
      const named = Environment.map(({ Name }) => Name)
      for (const each of needed) assert.ok(named.includes(each), `${name} lacks ${each}`)
      for (const each of named) assert.ok(needed.includes(each) || settings.includes(each), `${name} has ${each}`)
      const secrets = secretsOf(name).flatMap(({ variable }) => variable ?? [])
      assert.deepEqual(Secrets.map(({ Name }) => Name).sort(), secrets.sort())
    }
  })

  test('checks each service so that none is ended because a server is away', () => {
    for (const name of serviceNames) {
      assert.deepEqual(containersOf(template).get(name)?.HealthCheck.Command, ['CMD', 'bash', '-c', serviceCheck])
    }
  })

  test('connects to both servers with TLS only', () => {
    const urls = [...containersOf(template).values()].flatMap(({ Environment = [] }) =>
      Environment.filter(({ Name }) => /(BROKER|DATABASE)_URL$/.test(Name)).map(({ Value }) => JSON.stringify(Value)),
    )
    assert.ok(urls.length >= 8)
    for (const url of urls) assert.match(url, /amqps:\/\/|postgres:\/\/.*sslmode=verify-full/)
    template.hasResourceProperties('AWS::RDS::DBClusterParameterGroup', { Parameters: { 'rds.force_ssl': '1' } })
  })

  test('runs each service on the network of its own, and spare capacity only for processors', () => {
    const services = Object.values(template.findResources('AWS::ECS::Service')).map(({ Properties }) => Properties)
    assert.deepEqual(services.map(({ ServiceName }) => ServiceName).sort(), [...serviceNames, 'nginx'].sort())
    for (const { ServiceName, CapacityProviderStrategy, NetworkConfiguration } of services) {
      const usesSpot = JSON.stringify(CapacityProviderStrategy).includes('SPOT')
      assert.equal(usesSpot, ServiceName === 'processor')
      assert.notEqual(NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp, 'ENABLED')
    }
  })

  test('lets only who needs them reach database and broker, and nothing from outside', () => {
    const ingress = Object.values(template.findResources('AWS::EC2::SecurityGroupIngress')).map(
      ({ Properties }) => Properties,
    )
    const reaching = (port: unknown) =>
      ingress.filter(({ FromPort }) => JSON.stringify(FromPort) === JSON.stringify(port))
    const withBroker = serviceNames.filter((name) => (parts[name] as Part).broker !== undefined)
    assert.equal(reaching(5671).length, withBroker.length)
    // The backlog's function and the pipeline's step.
    assert.equal(reaching(443).length, 2)
    const groups = Object.entries(template.findResources('AWS::EC2::SecurityGroup'))
    const open = groups.filter(([, { Properties }]) =>
      JSON.stringify(Properties.SecurityGroupIngress ?? []).includes('0.0.0.0/0'),
    )
    assert.deepEqual(
      open.map(([id]) => id.replace(/[\dA-F]{8}$/, '')),
      ['EntryLoadBalancerSecurityGroup'],
    )
  })

  test('keeps database, broker, secrets and logs encrypted with its own key, and the database when the stack is deleted', () => {
    template.hasResource('AWS::RDS::DBCluster', {
      DeletionPolicy: 'Snapshot',
      Properties: {
        StorageEncrypted: true,
        DeletionProtection: true,
        KmsKeyId: Match.anyValue(),
        EngineVersion: '18.3',
      },
    })
    template.hasResourceProperties('AWS::AmazonMQ::Broker', {
      DeploymentMode: 'CLUSTER_MULTI_AZ',
      PubliclyAccessible: false,
      EncryptionOptions: { UseAwsOwnedKey: false },
    })
    template.allResourcesProperties('AWS::SecretsManager::Secret', { KmsKeyId: Match.anyValue() })
    template.allResourcesProperties('AWS::Logs::LogGroup', {
      KmsKeyId: Match.anyValue(),
      RetentionInDays: Match.anyValue(),
    })
  })

  test('gives the janitor a bucket that turns old archives over to Glacier', () => {
    const [id] = Object.keys(
      template.findResources('AWS::S3::Bucket', {
        Properties: {
          LifecycleConfiguration: {
            Rules: Match.arrayWith([
              Match.objectLike({ Transitions: [{ StorageClass: 'GLACIER_IR', TransitionInDays: 30 }] }),
            ]),
          },
        },
      }),
    )
    const variables = containersOf(template).get('janitor')?.Environment ?? []
    const url = variables.find(({ Name }) => Name === 'ARCHIVE_URL')?.Value
    assert.deepEqual(url, { 'Fn::Join': ['', ['s3://', { Ref: id }, '/']] })
  })

  test('scales processors by the backlog of each, up to what the database takes', () => {
    template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalingPolicy', {
      TargetTrackingScalingPolicyConfiguration: {
        CustomizedMetricSpecification: {
          Metrics: Match.arrayWith([Match.objectLike({ Expression: 'backlog / processors' })]),
        },
      },
    })
    const { min, max } = sizes.small.tasks.processor
    template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', {
      MinCapacity: { 'Fn::If': ['HasImages', min, 0] },
      MaxCapacity: max,
    })
  })

  test('starts no task before there are images', () => {
    template.hasCondition('HasImages', { 'Fn::Not': [{ 'Fn::Equals': [{ Ref: 'ImageTag' }, '0000000'] }] })
    template.allResourcesProperties('AWS::ECS::Service', {
      DesiredCount: { 'Fn::If': ['HasImages', Match.anyValue(), 0] },
    })
    template.allResourcesProperties('AWS::ApplicationAutoScaling::ScalableTarget', {
      MinCapacity: { 'Fn::If': ['HasImages', Match.anyValue(), 0] },
    })
  })

  test('leaves the number of tasks of a service that scales to its scaling', () => {
    const scaled = Object.values(template.findResources('AWS::ApplicationAutoScaling::ScalableTarget')).map(
      ({ Properties }) => JSON.stringify(Properties.ResourceId),
    )
    const services = Object.entries(template.findResources('AWS::ECS::Service'))
    for (const [id, { Properties }] of services) {
      const isScaled = scaled.some((resource) => resource.includes(`"${id}"`))
      const [, count] = Properties.DesiredCount['Fn::If']
      if (isScaled) assert.deepEqual(count, { Ref: 'AWS::NoValue' })
      else assert.ok(count >= 1, Properties.ServiceName)
    }
    assert.equal(scaled.length, 4)
  })

  test("can replace the password of the database's owner: its function reaches the database and Secrets Manager", () => {
    const [application] = Object.values(template.findResources('AWS::Serverless::Application'))
    const parameters = application?.Properties.Parameters
    assert.match(JSON.stringify(parameters.vpcSubnetIds), /servicesSubnet1/)
    assert.doesNotMatch(JSON.stringify(parameters.vpcSubnetIds), /dataSubnet/)
    const [group] = JSON.stringify(parameters.vpcSecurityGroupIds).match(/\w*RotationSingleUser\w*/) ?? []
    assert.ok(group)
    template.hasResourceProperties('AWS::EC2::SecurityGroup', {
      GroupDescription: Match.stringLikeRegexp('RotationSingleUser'),
      SecurityGroupEgress: [Match.objectLike({ CidrIp: '0.0.0.0/0', IpProtocol: '-1' })],
    })
    template.hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
      SourceSecurityGroupId: { 'Fn::GetAtt': [group, 'GroupId'] },
      FromPort: { 'Fn::GetAtt': [Match.stringLikeRegexp('^DatabaseCluster'), 'Endpoint.Port'] },
    })
  })

  test('lets an AUDITOR read no secret and no data, and both roles only with a second factor', () => {
    for (const RoleName of ['clicktally-OWNER', 'clicktally-AUDITOR']) {
      template.hasResourceProperties('AWS::IAM::Role', {
        RoleName,
        AssumeRolePolicyDocument: {
          Statement: [Match.objectLike({ Condition: { Bool: { 'aws:MultiFactorAuthPresent': 'true' } } })],
        },
      })
    }
    template.hasResourceProperties('AWS::IAM::Policy', {
      PolicyName: Match.stringLikeRegexp('AUDITOR'),
      PolicyDocument: {
        Statement: [Match.objectLike({ Effect: 'Deny', Action: Match.arrayWith(['secretsmanager:GetSecretValue']) })],
      },
    })
  })

  test('has a pipeline that migrates before it deploys, and an image for each part', () => {
    const [pipeline] = Object.values(template.findResources('AWS::CodePipeline::Pipeline'))
    const stages = pipeline?.Properties.Stages.map(({ Name }: { Name: string }) => Name)
    assert.deepEqual(stages, ['Source', 'Test', 'Build', 'Prepare', 'Deploy'])
    const deploy = pipeline?.Properties.Stages.at(-1)
    // The stack makes roles with names, and an application of a repository.
    assert.equal(deploy.Actions[0].Configuration.Capabilities, 'CAPABILITY_NAMED_IAM,CAPABILITY_AUTO_EXPAND')
    assert.deepEqual(JSON.parse(deploy.Actions[0].Configuration.ParameterOverrides), {
      ImageTag: '#{source.CommitId}',
      Run: '#{codepipeline.PipelineExecutionId}',
    })
    template.resourceCountIs('AWS::ECR::Repository', imageNames.length)
  })

  test('every run of the pipeline replaces all tasks, so that they read new secrets', () => {
    for (const { DockerLabels } of containersOf(template).values())
      assert.deepEqual(DockerLabels, { run: { Ref: 'Run' } })
  })

  test('loads the definitions of the release, with the password of each user of the broker', () => {
    template.hasResourceProperties('AWS::CodeBuild::Project', {
      Source: { BuildSpec: Match.anyValue() },
      Environment: {
        EnvironmentVariables: Match.arrayWith(
          brokerUsers.map(({ user }) =>
            Match.objectLike({ Name: `${user.toUpperCase()}_BROKER_PASSWORD`, Type: 'SECRETS_MANAGER' }),
          ),
        ),
      },
    })
    const builds = JSON.stringify(template.findResources('AWS::CodeBuild::Project'))
    assert.match(builds, /infra\/secrets\/main\.ts --definitions definitions\.json/)
  })

  test('builds images that are labelled with the version and the commit', () => {
    const projects = Object.values(template.findResources('AWS::CodeBuild::Project'))
    const builds = projects.map(({ Properties }) => JSON.stringify(Properties.Source.BuildSpec))
    const count = (pattern: RegExp) => builds.reduce((sum, build) => sum + (build.match(pattern)?.length ?? 0), 0)
    assert.equal(count(/docker build --target/g), imageNames.length)
    assert.equal(count(/--build-arg VERSION=\$VERSION --build-arg REVISION=\$COMMIT/g), imageNames.length)
  })

  test('tells at half of the bytes at which the queue refuses clicks', () => {
    const definitions = readFileSync(join(import.meta.dirname, '../../../packages/broker/definitions.ts'), 'utf8')
    const [, limit = ''] = /'max-length-bytes': ([\d_]+)/.exec(definitions) ?? []
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'BacklogBytes',
      Namespace: 'Clicktally',
      Threshold: Number(limit.replaceAll('_', '')) / 2,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
    })
  })

  test('tells a person of every alarm', () => {
    template.allResourcesProperties('AWS::CloudWatch::Alarm', { AlarmActions: [Match.anyValue()] })
    template.hasResourceProperties('AWS::SNS::Subscription', { Endpoint: 'ops@example.org' })
  })
})

describe('with CloudFront', () => {
  const template = templateOf(edge)

  test('the load balancer has no public address', () => {
    template.hasResourceProperties('AWS::ElasticLoadBalancingV2::LoadBalancer', { Scheme: 'internal' })
    template.resourceCountIs('AWS::CloudFront::Distribution', 1)
    template.resourceCountIs('AWS::CodePipeline::Pipeline', 0)
  })

  test('ingest takes the country from the header that CloudFront sets', () => {
    const names = containersOf(template)
      .get('ingest')
      ?.Environment?.map(({ Name }) => Name)
    assert.ok(names?.includes('CLICKTALLY_COUNTRY_HEADER'))
  })
})

describe('with a RabbitMQ of its own', () => {
  const app = createApp({ context: { ...pipeline, broker: 'rabbitmq.example.org' } })
  const stack = app.node.findChild('Clicktally') as Stack
  const template = Template.fromStack(stack)

  test('there is no Amazon MQ, and nothing that depends on it', () => {
    template.resourceCountIs('AWS::AmazonMQ::Broker', 0)
    assert.doesNotMatch(JSON.stringify(template.toJSON()), /AWS\/AmazonMQ/)
    Annotations.fromStack(stack).hasNoWarning('*', Match.stringLikeRegexp('streams'))
  })

  test('services, backlog and pipeline use it, with TLS', () => {
    for (const name of serviceNames.filter((name) => (parts[name] as Part).broker !== undefined)) {
      const { Environment = [] } = containersOf(template).get(name) as Container
      const url = Environment.find(({ Name }) => Name === 'BROKER_URL')?.Value
      assert.equal(url, `amqps://${(parts[name] as Part).account}@rabbitmq.example.org:5671`)
    }
    template.hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: Match.objectLike({ MANAGEMENT_URL: 'https://rabbitmq.example.org' }) },
    })
    const builds = JSON.stringify(template.findResources('AWS::CodeBuild::Project'))
    assert.match(builds, /https:\/\/rabbitmq\.example\.org\/api\/definitions/)
    // The pipeline's own synth.
    assert.match(builds, /-c broker=rabbitmq\.example\.org/)
  })
})

test('who deploys with Amazon MQ is warned that it has no streams', () => {
  const stack = createApp({ context: usual }).node.findChild('Clicktally') as Stack
  Annotations.fromStack(stack).hasWarning('*', Match.stringLikeRegexp('does not support streams'))
})

test('every size has a broker that RabbitMQ 4 runs on', () => {
  for (const { broker } of Object.values(sizes)) assert.match(broker, /^mq\.m7g\./)
})

test('every size has a stack', () => {
  for (const size of Object.keys(sizes) as SizeName[]) {
    const template = templateOf({ ...usual, size })
    const { database, databaseInstances, broker } = sizes[size]
    template.resourceCountIs('AWS::RDS::DBInstance', databaseInstances)
    template.allResourcesProperties('AWS::RDS::DBInstance', { DBInstanceClass: `db.${database}` })
    template.hasResourceProperties('AWS::AmazonMQ::Broker', { HostInstanceType: broker })
  }
})

test('wrong settings are all named at once', () => {
  assert.throws(() => createApp({ context: { domain: 'x', size: 'huge', 'edge-certificate': 'y' } }), {
    message: /size=huge.*domain.*certificate.*edge-certificate/s,
  })
})
