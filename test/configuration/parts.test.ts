import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { networksOf, secretsOf, serversOf, serverVariables } from '@clicktally/system/accounts.ts'
import {
  databaseName,
  databaseOwner,
  type Part,
  type PartName,
  partEntries,
  parts,
  serviceNames,
  upstreamNames,
} from '@clicktally/system/parts.ts'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadConfig, namesReadBy, root } from './config-files.ts'

interface ComposeService {
  build?: { target: string; args: Record<string, string> }
  image?: string
  depends_on?: Record<string, { condition: string }>
  networks?: string[]
  network_mode?: string
  environment?: Record<string, string>
  volumes?: string[]
  ports?: string[]
  profiles?: string[]
  restart: string
  healthcheck?: { test?: string[]; disable?: true }
}

const compose = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true }) as {
  services: Record<PartName, ComposeService>
  networks: Record<string, unknown>
  volumes: Record<string, unknown>
}

const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8')

const composePort = (name: PartName) => `${name}:${(parts[name] as Part).port}`
const programs = partEntries.filter(([, { folder }]) => folder !== undefined)
const withAccount = partEntries.filter(([, { account }]) => account !== undefined)

/** The names of the secret variables of a part, as compose sets them: the path of a file each. */
function secretPaths(name: PartName): Record<string, string> {
  const named = secretsOf(name).filter(({ variable }) => variable !== undefined)
  return Object.fromEntries(named.map(({ variable, file }) => [`${variable}_FILE`, `/run/secrets/${file}`]))
}

describe('docker-compose.yml', () => {
  test('has a service for each part, and no other', () => {
    expect(Object.keys(compose.services).sort()).toEqual(Object.keys(parts).sort())
  })

  test.for(partEntries)(
    'builds or runs what the table names: %s',
    ([name, { folder, image, content, run, profile }]) => {
      const service = compose.services[name]
      const isBuilt = folder !== undefined || content !== undefined
      const built = `\${CLICKTALLY_IMAGES:-clicktally}/${name}:\${CLICKTALLY_VERSION:-dev}`
      expect(service.image).toBe(isBuilt ? built : image)
      expect(service.build?.args).toEqual(
        isBuilt
          ? {
              VERSION: `\${CLICKTALLY_VERSION:-dev}`,
              REVISION: `\${CLICKTALLY_REVISION:-}`,
              SERVICE: folder ?? content,
            }
          : undefined,
      )
      if (content !== undefined) {
        expect(service.build?.target).toBe(name)
        expect(dockerfile).toContain(`ARG ${name.toUpperCase()}_IMAGE=${image}\n`)
        expect(dockerfile).toContain(`FROM \${${name.toUpperCase()}_IMAGE} AS ${name}\n`)
      }
      expect(service.restart).toBe(run === 'always' ? 'unless-stopped' : 'no')
      expect(service.profiles).toEqual(profile && [profile])
    },
  )

  test.for(partEntries)('puts each part in the networks that it needs, and in no other: %s', ([name]) => {
    const { networks = [], network_mode } = compose.services[name]
    expect([...networks].sort()).toEqual(networksOf(name).sort())
    expect(network_mode).toBe(networks.length === 0 ? 'none' : undefined)
    expect(Object.keys(compose.networks)).toEqual(expect.arrayContaining(networks))
  })

  test('leads outside only through three networks, and only nginx has ports that other machines may reach', () => {
    const open = Object.keys(compose.networks).filter(
      (name) => !(compose.networks[name] as { internal?: true }).internal,
    )
    expect(open).toEqual(['front', 'outgoing', 'observability'])
    for (const [name, { publishedPorts = [] }] of partEntries) {
      const published = (compose.services[name].ports ?? []).map((each) => each.slice(each.lastIndexOf(':') + 1)).sort()
      expect([name, published]).toEqual([name, [...publishedPorts]])
      // Archives may be in S3, and webhooks anywhere.
      const leadsOutside = publishedPorts.length > 0 || ['janitor', 'cli', 'notifier'].includes(name)
      expect([name, networksOf(name).some((network) => open.includes(network))]).toEqual([name, leadsOutside])
      const isForOthers = (compose.services[name].ports ?? []).some((port) => !port.startsWith('127.0.0.1:'))
      expect([name, isForOthers]).toEqual([name, name === 'nginx'])
    }
  })

  test.for(partEntries)('gives each part its own secrets, and no other: %s', ([name, { account, folder }]) => {
    const mounts = (compose.services[name].volumes ?? []).filter((volume) => volume.startsWith('secrets-'))
    const all = withAccount.map(([, each]) => `secrets-${each.account}:/secrets/${each.account}`)
    const own = account === undefined ? [] : [`secrets-${account}:/run/secrets:ro`]
    expect(mounts.sort()).toEqual(folder === parts.secrets.folder ? all.sort() : own)
  })

  test('keeps a volume for the secrets of each account', () => {
    const volumes = Object.keys(compose.volumes).filter((name) => name.startsWith('secrets-'))
    expect(volumes.sort()).toEqual(withAccount.map(([, { account }]) => `secrets-${account}`).sort())
  })

  test.for(partEntries)('starts each part after those that it needs: %s', ([name, { account, database }]) => {
    const needs = {
      ...(account !== undefined && { secrets: 'service_completed_successfully' }),
      ...(serversOf(name).includes('rabbitmq') && { rabbitmq: 'service_healthy' }),
      ...(database === databaseOwner && { postgres: 'service_healthy' }),
      ...(database !== undefined && database !== databaseOwner && { migrate: 'service_completed_successfully' }),
      ...(name === 'nginx' && Object.fromEntries(upstreamNames.map((each) => [each, 'service_started']))),
    }
    const { depends_on = {}, profiles } = compose.services[name]
    const conditions = Object.fromEntries(Object.entries(depends_on).map(([each, { condition }]) => [each, condition]))
    // What people run joins a system that is up.
    expect(conditions).toEqual(profiles === undefined ? needs : {})
  })

  test.for(partEntries)('sets exactly the variables that the table names: %s', ([name, part]) => {
    const { environment = {} } = compose.services[name]
    const { folder, port, settings = [] }: Part = part
    const expected = {
      ...(folder !== undefined && port !== undefined && { HOST: '0.0.0.0' }),
      ...serverVariables(name, composePort),
      ...secretPaths(name),
      ...Object.fromEntries(settings.map((each) => [each, `\${${each}:-}`])),
    }
    expect(environment).toMatchObject(expected)
    const more = Object.keys(environment).filter((each) => !(each in expected))
    // The images have variables of their own, and the command line is told where nginx is.
    const isOwn = (each: string) => /^(NGINX|RABBITMQ|POSTGRES|GF)_(?!PASSWORD)/.test(each)
    const isForCli = (each: string) => name === 'cli' && ['CLICKTALLY_URL', 'XDG_STATE_HOME'].includes(each)
    expect(more.filter((each) => !(folder === undefined ? isOwn(each) : isForCli(each)))).toEqual([])
  })

  test.for(serviceNames)('listens where others look for it: %s', async (name) => {
    const { port }: Part = parts[name]
    const { healthcheck } = compose.services[name]
    if (port === undefined) expect(healthcheck).toEqual({ disable: true })
    else expect(healthcheck?.test?.at(-1)).toContain(`/dev/tcp/127.0.0.1/${port}`)
    const { NGINX_ENVSUBST_FILTER = '', ...nginx } = compose.services.nginx.environment ?? {}
    const variable = `NGINX_${name.toUpperCase()}_SERVERS`
    const servers = upstreamNames.includes(name) ? `server ${name}:${port} resolve max_fails=0;` : undefined
    expect(nginx[variable]).toBe(servers)
    expect(new RegExp(NGINX_ENVSUBST_FILTER.replace('$$', '$')).test(variable)).toBe(servers !== undefined)
  })

  test('makes the database and its owner that the parts log in to', () => {
    expect(compose.services.postgres.environment).toMatchObject({
      ...{ POSTGRES_USER: databaseOwner, POSTGRES_DB: databaseName },
      ...secretPaths('postgres'),
    })
  })
})

describe('the table of parts', () => {
  test.for(programs)('names a folder that has a program: %s', ([, { folder }]) => {
    expect(existsSync(join(root, folder as string, 'main.ts'))).toBe(true)
  })

  test.for([...serviceNames, 'migrate'] as const)('has every variable that the program reads: %s', async (name) => {
    const { folder, port, settings = [] }: Part = parts[name]
    const secrets = secretsOf(name).flatMap(({ variable }) => [variable, `${variable}_FILE`])
    const listening = port === undefined ? [] : ['HOST', 'PORT']
    const known = [...listening, ...Object.keys(serverVariables(name, composePort)), ...secrets, ...settings]
    expect([...(await namesReadBy(`${folder}/config.ts`))].sort()).toEqual(known.sort())
  })

  test.for(serviceNames)("agrees with the service's own defaults: %s", async (name) => {
    const { folder, port }: Part = parts[name]
    const { readConfig } = await loadConfig(`${folder}/config.ts`)
    const local = serverVariables(name, (server) => `127.0.0.1:${parts[server].port}`)
    const defaults = readConfig({})
    expect(defaults).toMatchObject(port === undefined ? {} : { host: '127.0.0.1', port })
    expect(readConfig(local)).toEqual(defaults)
  })

  test('names the settings of nginx as the local run reads them', async () => {
    expect([...(await namesReadBy('local/config.ts'))].sort()).toEqual([...parts.nginx.settings].sort())
  })
})
