import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { secretsOf, serverVariables } from '@clicktally/system/accounts.ts'
import { type Part, type PartName, parts, type ServiceName, serviceNames } from '@clicktally/system/parts.ts'
import { parse } from 'yaml'
import { keysTopology } from '../../../packages/broker/keys-topology.ts'
import { liveTopology } from '../../../packages/broker/live-topology.ts'
import { namesReadBy } from '../../../test/configuration/config-files.ts'
import { type KubernetesObject, lint, render, type Values } from './helm.ts'
import { validate } from './schemas.ts'

const operators = { 'broker.operator': true, 'database.operator': true }
/** Everything that can be turned on. */
const all = { ...operators, 'keda.enabled': true, 'broker.storageClass': 'fast', 'database.storageClass': 'fast' }
const variants: Record<string, Values> = {
  'servers elsewhere': { 'broker.hosts': ['a:5672', 'b:5672'], 'database.readHost': 'c:5432' },
  'servers of operators': operators,
  everything: all,
  'as little as possible': { 'ingress.enabled': false, 'networkPolicies.enabled': false },
}

interface Container {
  readonly name: string
  readonly image: string
  readonly env: readonly { readonly name: string; readonly value: string }[]
  readonly securityContext: object
}

const find = (objects: readonly KubernetesObject[], kind: string, name: string) =>
  objects.find((object) => object.kind === kind && object.metadata.name === `clicktally-${name}`)
const workloads = (objects: readonly KubernetesObject[]) =>
  objects.filter(({ kind }) => ['Deployment', 'Job'].includes(kind))
/** Without the number of the release. */
const nameOf = ({ metadata }: KubernetesObject) => metadata.name.replace('clicktally-', '').replace(/-\d+$/, '')
const members = 'rabbitmq-members'

function containerOf(objects: readonly KubernetesObject[], name: string): Container {
  const workload = find(workloads(objects), name === 'migrate' ? 'Job' : 'Deployment', name)
  return workload?.spec.template.spec.containers[0]
}

const variablesOf = (container: Container) => Object.fromEntries(container.env.map(({ name, value }) => [name, value]))

describe('each variant of the chart', () => {
  for (const [name, values] of Object.entries(variants)) {
    test(`passes lint, and its objects are as their schemas say: ${name}`, async () => {
      const { status, output } = lint(values)
      assert.equal(status, 0, output)
      const objects = render(values)
      assert.ok(objects.length > 10)
      for (const object of objects) await validate(object)
    })
  }

  test('has objects of every kind, so that none is left out', () => {
    const kinds = new Set(render(all).map(({ kind }) => kind))
    const expected = [
      ...['Cluster', 'Deployment', 'HorizontalPodAutoscaler', 'Ingress', 'Job', 'NetworkPolicy'],
      ...['PodDisruptionBudget', 'RabbitmqCluster', 'ScaledObject', 'Service'],
    ]
    assert.deepEqual([...kinds].sort(), expected)
  })

  test('is refused if a value is wrong', () => {
    for (const wrong of [{ domain: 'x' }, { 'broker.hosts': [] }, { 'services.ingest.replicas': 3 }, { unknown: 1 }]) {
      assert.throws(() => render(wrong), /values don't meet the specifications of the schema/)
    }
    assert.throws(() => render({ 'image.tag': '' }), /image.tag is needed/)
  })
})

describe('the schemas', () => {
  test('refuse what is wrong', async () => {
    const wrong = [
      ['Deployment', (spec: { replicas: unknown }) => (spec.replicas = 'two')],
      ['ScaledObject', (spec: { scaleTargetRef: unknown }) => (spec.scaleTargetRef = undefined)],
      ['RabbitmqCluster', (spec: { replica?: number }) => (spec.replica = 3)],
      ['Cluster', (spec: { instances: unknown }) => (spec.instances = '3')],
    ] as const
    for (const [kind, spoil] of wrong) {
      const object = render(all).find((each) => each.kind === kind) as KubernetesObject
      spoil(object.spec)
      await assert.rejects(validate(object), kind)
    }
  })
})

describe('variables', () => {
  const objects = render({ 'database.readHost': 'c:5432' })
  const more: Partial<Record<PartName, readonly string[]>> = { api: ['READ_DATABASE_URL'] }

  for (const name of [...serviceNames, 'migrate'] as const) {
    test(`are exactly those that the table of parts names, and the program reads each: ${name}`, async () => {
      const variables = variablesOf(containerOf(objects, name))
      const part: Part = parts[name]
      const secrets = secretsOf(name).flatMap(({ variable, file }) =>
        variable === undefined ? [] : [[`${variable}_FILE`, `/run/secrets/${file}`]],
      )
      const address = { rabbitmq: 'rabbitmq.example.org:5672', postgres: 'postgres.example.org:5432' }
      const expected = {
        ...(part.port !== undefined && { HOST: '0.0.0.0' }),
        ...serverVariables(name, (server) => address[server]),
        ...Object.fromEntries(secrets),
      }
      const { READ_DATABASE_URL, ...others } = variables
      assert.deepEqual(others, expected)
      assert.equal(READ_DATABASE_URL !== undefined, more[name] !== undefined)
      const read = await namesReadBy(`${part.folder}/config.ts`)
      for (const each of Object.keys(variables)) assert.ok(read.has(each), `${name} does not read ${each}`)
    })
  }

  test('of nginx are those of docker-compose.yml', () => {
    const compose = parse(readFileSync(join(import.meta.dirname, '../../../docker-compose.yml'), 'utf8'), {
      merge: true,
    })
    const environment = compose.services.nginx.environment as Record<string, string>
    const own = Object.entries(environment).filter(
      ([name, value]) => !value.startsWith('${') && !/SERVERS|RESOLVER/.test(name),
    )
    const variables = variablesOf(containerOf(objects, 'nginx'))
    for (const [name, value] of own) assert.equal(variables[name], value.replaceAll('$$', '$'), name)
    for (const name of Object.keys(variables)) assert.ok(name in environment, name)
    assert.match(
      variables.NGINX_API_SERVERS ?? '',
      /^server clicktally-api\.counts\.svc\.cluster\.local:3000 resolve max_fails=0;$/,
    )
  })

  test('that a user sets reach the service', () => {
    const settings = { BATCH_MAX_CLICKS: 8000, LOG_LEVEL: 'debug' }
    const variables = variablesOf(containerOf(render({ 'services.processor.settings': settings }), 'processor'))
    assert.equal(variables.BATCH_MAX_CLICKS, '8000')
    assert.equal(variables.LOG_LEVEL, 'debug')
  })

  test('name every node of a broker, and of a database', () => {
    const { env } = containerOf(
      render({ 'broker.hosts': ['a:5672', 'b:5672'], 'database.hosts': ['c:5432', 'd:5432'] }),
      'processor',
    )
    const variables = Object.fromEntries(env.map(({ name, value }) => [name, value]))
    assert.equal(variables.BROKER_URL, 'amqp://processor@a:5672,b:5672')
    assert.equal(variables.DATABASE_URL, 'postgres://clicktally_processor@c:5432,d:5432/clicktally')
  })
})

describe('pods', () => {
  const objects = render(all)

  test('have no privileges, and no token for the API of Kubernetes', () => {
    for (const { metadata, spec } of workloads(objects)) {
      const pod = spec.template.spec
      assert.equal(pod.automountServiceAccountToken, false, metadata.name)
      assert.equal(pod.securityContext.runAsNonRoot, true, metadata.name)
      const [{ securityContext, image }] = pod.containers
      assert.deepEqual(securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
      assert.match(image, metadata.name.includes(members) ? /^rabbitmq:4-management$/ : /:0123abc$/)
    }
  })

  test('get the secrets of their own account only', () => {
    const own: Record<string, string[]> = { nginx: [], [members]: ['clicktally-rabbitmq-erlang-cookie'] }
    for (const workload of workloads(objects)) {
      const name = nameOf(workload)
      const mounted = workload.spec.template.spec.volumes.flatMap(
        (volume: { secret?: { secretName: string } }) => volume.secret?.secretName ?? [],
      )
      assert.deepEqual(mounted, own[name] ?? [`clicktally-${(parts[name as PartName] as Part).account}`])
    }
  })

  test('are spread over zones and machines, and leave one at a time', () => {
    for (const { metadata, spec } of objects.filter(({ kind }) => kind === 'Deployment')) {
      const name = metadata.name.replace('clicktally-', '')
      assert.equal(spec.template.spec.topologySpreadConstraints.length, 2)
      assert.equal(
        find(objects, 'PodDisruptionBudget', name) !== undefined,
        !['janitor', 'notifier'].includes(name),
        name,
      )
      assert.equal(spec.strategy.rollingUpdate.maxUnavailable, 0)
    }
  })
})

describe('the network', () => {
  const objects = render()
  const portsOut = (name: ServiceName | 'nginx' | 'migrate') =>
    find(objects, 'NetworkPolicy', name)?.spec.egress.flatMap(({ ports }: { ports: { port: number | string }[] }) =>
      ports.map(({ port }) => port),
    )

  test('leads each part to the servers that it logs in to, and to no other', () => {
    for (const name of [...serviceNames, 'migrate'] as const) {
      const { broker, database, networks = [] }: Part = parts[name]
      const ports = portsOut(name)
      assert.equal(ports.includes(5672), broker !== undefined, name)
      assert.equal(ports.includes(5432), database !== undefined, name)
      assert.equal(
        ports.includes(443),
        networks.some((network) => ['outgoing', 'observability'].includes(network)),
        name,
      )
    }
    assert.deepEqual(portsOut('nginx'), [53, 53, 'http'])
  })

  test('leads to a receiver of traces only if there is one, and only what records traces', () => {
    const withPort = (rendered: readonly KubernetesObject[]) =>
      rendered
        .filter(({ kind, spec }) => kind === 'NetworkPolicy' && JSON.stringify(spec.egress).includes('4318'))
        .map(({ metadata }) => metadata.name.replace('clicktally-', ''))
        .sort()
    assert.deepEqual(withPort(objects), [])
    const recording = serviceNames.filter((name) =>
      ((parts[name] as Part).settings ?? []).includes('OTEL_EXPORTER_OTLP_ENDPOINT'),
    )
    assert.deepEqual(withPort(render({ 'networkPolicies.collectorNamespace': 'monitoring' })), recording.sort())
  })

  test('has a policy for each workload', () => {
    for (const rendered of [objects, render(all)]) {
      for (const workload of workloads(rendered)) {
        assert.ok(find(rendered, 'NetworkPolicy', nameOf(workload)), workload.metadata.name)
      }
    }
  })

  test('leads nginx also to pods that are not ready: an ingest without a broker redirects links and tells senders when to retry', () => {
    const servers = Object.entries(variablesOf(containerOf(objects, 'nginx'))).filter(([name]) =>
      name.endsWith('_SERVERS'),
    )
    assert.equal(servers.length, 3)
    for (const [, server] of servers) {
      const [, name = ''] = /^server clicktally-(\w+)\./.exec(server) ?? []
      const { clusterIP, publishNotReadyAddresses } = find(objects, 'Service', name)?.spec ?? {}
      assert.deepEqual([name, clusterIP, publishNotReadyAddresses], [name, 'None', true])
    }
    // A pod whose nginx is not ready has nobody in front of it who would try another one.
    assert.equal(find(objects, 'Service', 'nginx')?.spec.publishNotReadyAddresses, undefined)
  })

  test('is entered only at nginx', () => {
    const ingress = objects.find(({ kind }) => kind === 'Ingress')
    assert.equal(ingress?.spec.rules[0].http.paths[0].backend.service.name, 'clicktally-nginx')
    for (const { spec } of objects.filter(({ kind }) => kind === 'Service')) assert.equal(spec.type, undefined)
  })
})

describe('scaling', () => {
  test('of processors ends at what the database takes, by our own metric', () => {
    const objects = render({ 'keda.enabled': true, 'services.processor.replicas': { min: 3, max: 7 } })
    const { minReplicaCount, maxReplicaCount, triggers } = find(objects, 'ScaledObject', 'processor')?.spec ?? {}
    assert.deepEqual([minReplicaCount, maxReplicaCount], [3, 7])
    assert.match(triggers[0].metadata.query, /clicktally:backlog_messages/)
    const rules = readFileSync(join(import.meta.dirname, '../../prometheus/recording-rules.yml'), 'utf8')
    assert.match(rules, /record: clicktally:backlog_messages$/m)
    assert.equal(find(objects, 'HorizontalPodAutoscaler', 'processor'), undefined)
  })

  test('is left to whoever scales: otherwise the number of pods is fixed', () => {
    const replicasOf = (values: Values, name: string) => find(render(values), 'Deployment', name)?.spec.replicas
    assert.equal(replicasOf({ 'keda.enabled': true }, 'processor'), undefined)
    assert.equal(replicasOf({}, 'processor'), 2)
    assert.equal(replicasOf({}, 'ingest'), undefined)
    assert.equal(replicasOf({}, 'auth'), 2)
  })
})

test('migrations run beside the first installation, and before each upgrade', () => {
  const hookOf = (...args: string[]) =>
    find(render({}, ...args), 'Job', 'migrate')?.metadata.annotations?.['helm.sh/hook']
  assert.equal(hookOf(), undefined)
  assert.equal(hookOf('--is-upgrade'), 'pre-upgrade')
})

test('a commit in the database of the operator waits for a standby, and each queue gets a member on every node', () => {
  const objects = render(operators)
  assert.deepEqual(find(objects, 'Cluster', 'database')?.spec.postgresql.synchronous, {
    method: 'any',
    number: 1,
    dataDurability: 'required',
  })
  const { replicas, rabbitmq } = find(objects, 'RabbitmqCluster', 'rabbitmq')?.spec ?? {}
  assert.equal(replicas, 3)
  assert.match(rabbitmq.additionalConfig, /^quorum_queue\.continuous_membership_reconciliation\.enabled = true$/m)
})

test('each stream gets a member on every node of the operator, by the script of compose.cluster.yml', () => {
  const script = readFileSync(join(import.meta.dirname, '../../rabbitmq/grow.sh'), 'utf8')
  const [, streams = ''] = /^streams=\((.+)\)$/m.exec(script) ?? []
  assert.deepEqual(streams.split(' ').sort(), [keysTopology.stream, liveTopology.stream].sort())
  const objects = render(operators)
  const job = find(objects, 'Job', `${members}-1`)
  const [{ command, args }] = job?.spec.template.spec.containers ?? []
  // $0 and the nodes, as the operator names them.
  const nodes = [0, 1, 2].map(
    (number) => `rabbit@clicktally-rabbitmq-server-${number}.clicktally-rabbitmq-nodes.counts`,
  )
  assert.deepEqual([...command, ...args], ['bash', '-c', script, 'grow.sh', ...nodes])
  assert.equal(find(objects, 'RabbitmqCluster', 'rabbitmq')?.spec.replicas, nodes.length)
  // A hook would keep the installation waiting for the nodes.
  assert.equal(job?.metadata.annotations, undefined)
  const ports = find(objects, 'NetworkPolicy', members)?.spec.egress.flatMap((rule: { ports: { port: number }[] }) =>
    rule.ports.map(({ port }) => port),
  )
  assert.deepEqual(ports, [53, 53, 4369, 25672])
})
