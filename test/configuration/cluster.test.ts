import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parts } from '@clicktally/system/parts.ts'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { root } from './config-files.ts'

interface Service {
  image?: string
  build?: string
  extends?: { file: string; service: string }
  hostname?: string
  command?: string[]
  entrypoint?: string[]
  environment?: Record<string, string>
  networks?: string[]
  ports?: string[]
  volumes?: string[]
  read_only?: boolean
  cap_drop?: string[]
}

interface Compose {
  services: Record<string, Service>
  networks: Record<string, { internal?: boolean }>
  volumes: Record<string, unknown>
}

const read = (path: string) => readFileSync(join(root, path), 'utf8')
const readYaml = (path: string) => parse(read(path), { merge: true })
const single: Compose = readYaml('docker-compose.yml')
const cluster: Compose = readYaml('compose.cluster.yml')
const patroni = readYaml('infra/postgres-ha/patroni.yml')

const nodes = (first: string) => [first, `${first}-2`, `${first}-3`]
const brokers = nodes('rabbitmq')
const databases = nodes('postgres')
const proxies = ['haproxy', 'haproxy-2']

describe('compose.cluster.yml', () => {
  const addresses = Object.entries(single.services).flatMap(([name, { environment = {} }]) =>
    Object.entries(environment)
      .filter(([variable]) => /^(BROKER|DATABASE)_URL$/.test(variable))
      .map(([variable, url]) => [name, variable, url] as const),
  )

  test.for(addresses)('leads each service to every node, as the same user: %s %s', ([name, variable, url]) => {
    const hosts =
      variable === 'BROKER_URL' ? brokers.map((each) => `${each}:5672`) : proxies.map((each) => `${each}:5432`)
    const { host } = new URL(url)
    expect(cluster.services[name]?.environment?.[variable]).toBe(url.replace(host, hosts.join(',')))
  })

  test('the api reads the standby, with its own role', () => {
    const { DATABASE_URL, READ_DATABASE_URL } = cluster.services.api?.environment ?? {}
    expect(READ_DATABASE_URL).toBe(DATABASE_URL?.replaceAll(':5432', ':5433'))
  })

  test.for([...brokers, ...databases])('keeps what the single form says about the servers: %s', (name) => {
    const [first = ''] = /^[a-z]+/.exec(name) ?? []
    const node = cluster.services[name] ?? {}
    // compose merges a service of the same name; the others extend it.
    expect(node.extends).toEqual(name === first ? undefined : { file: 'docker-compose.yml', service: first })
    // Another folder for each: a volume that two servers write is lost.
    const { volumes = [] } = single.services[first] ?? {}
    const folder = volumes.find((volume) => volume.startsWith(`${first}:`))?.replace(`${first}:`, '')
    if (name !== first) expect(node.volumes).toContain(`${name}:${folder}`)
    else expect(node.volumes ?? []).not.toEqual(expect.arrayContaining([expect.stringContaining(`:${folder}`)]))
  })

  test.for(brokers)('a node of RabbitMQ has its own name, and joins the first: %s', (name) => {
    const { hostname, volumes } = { ...single.services.rabbitmq, ...cluster.services[name] }
    expect(hostname).toBe(name)
    const joins = volumes?.includes('./infra/rabbitmq/cluster.conf:/etc/rabbitmq/conf.d/91-cluster.conf:ro')
    expect(joins).toBe(name !== brokers[0])
    expect(cluster.services['rabbitmq-members']?.entrypoint).toContain(`rabbit@${name}`)
  })

  test('Prometheus scrapes each node of RabbitMQ, whose metrics no other node has', () => {
    const { scrape_configs: scraped }: { scrape_configs: { job_name: string; dns_sd_configs: object[] }[] } = readYaml(
      'infra/prometheus/prometheus.yml',
    )
    const jobs = scraped.filter(({ job_name: job }) => job.startsWith('rabbitmq'))
    expect(jobs).toHaveLength(2)
    for (const { dns_sd_configs: found } of jobs)
      expect(found).toMatchObject([{ names: brokers, type: 'A', port: 15692 }])
  })

  test.for(databases)('a server of PostgreSQL has its own name, and HAProxy looks at it: %s', (name) => {
    expect(cluster.services[name]?.environment).toMatchObject({
      PATRONI_NAME: name,
      PATRONI_POSTGRESQL_CONNECT_ADDRESS: `${name}:5432`,
      PATRONI_RESTAPI_CONNECT_ADDRESS: `${name}:8008`,
    })
    const configuration = read('infra/haproxy/haproxy.cfg')
    expect(configuration.match(new RegExp(`^  server ${name} ${name}:5432 check$`, 'gm'))).toHaveLength(2)
  })

  test('a commit waits for a standby, also while one is away', () => {
    expect(patroni.bootstrap.dcs).toMatchObject({ synchronous_mode: true, synchronous_mode_strict: true })
    const { ttl, loop_wait, retry_timeout } = patroni.bootstrap.dcs
    expect(ttl).toBeGreaterThanOrEqual(loop_wait + 2 * retry_timeout)
  })

  test('PostgreSQL has the settings of the single form', () => {
    const settings = (single.services.postgres?.command ?? []).flatMap((argument) => {
      const [, name, value] = /^-c(\w+)=(.*)$/.exec(argument) ?? []
      return name === undefined ? [] : [[name, value]]
    })
    expect(settings.length).toBeGreaterThan(5)
    expect(patroni.postgresql.parameters).toMatchObject(Object.fromEntries(settings))
    expect(patroni.postgresql.authentication.superuser.username).toBe(
      single.services.postgres?.environment?.POSTGRES_USER,
    )
    expect(read('infra/postgres-ha/Dockerfile')).toContain(`FROM ${parts.postgres.image}\n`)
  })

  test('opens nothing: no ports, only networks that lead nowhere, and no more rights', () => {
    expect(Object.values(cluster.networks)).toEqual([{ internal: true }])
    for (const [name, service] of Object.entries(cluster.services)) {
      expect([name, service.ports]).toEqual([name, undefined])
      const isOwn = !(name in single.services) && service.extends === undefined
      if (isOwn) expect([name, service.read_only, service.cap_drop]).toEqual([name, true, ['ALL']])
      const secrets = (service.volumes ?? []).filter((volume) => volume.startsWith('secrets-'))
      expect([name, secrets]).toEqual([name, name === 'rabbitmq-members' ? ['secrets-rabbitmq:/run/secrets:ro'] : []])
    }
  })

  test('only Patroni reaches etcd', () => {
    const inEtcd = Object.entries(cluster.services).filter(([, { networks = [] }]) => networks.includes('etcd'))
    expect(inEtcd.map(([name]) => name).sort()).toEqual([...nodes('etcd'), ...databases].sort())
  })
})
