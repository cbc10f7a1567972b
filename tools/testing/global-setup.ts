import { migrate } from '@clicktally/migrations/migrate.ts'
import { pino } from 'pino'
import type { TestProject } from 'vitest/node'
import { readConfig } from './config.ts'
import { provideServers, type Servers } from './servers.ts'
import { makeTemplate, rolePassword } from './test-database.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    servers: Servers & { template: string }
  }
}

/** Runs once before all tests: starts the servers, and creates a migrated database that tests copy. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const startedAtMs = Date.now()
  const { stop, ...servers } = await provideServers(readConfig(process.env), (line) => console.log(`  ${line}`))
  try {
    const template = await makeTemplate(servers.postgresUrl, (url) =>
      migrate(url, () => rolePassword, pino({ level: 'silent' })),
    )
    project.provide('servers', { ...servers, template: template.name })
    const seconds = ((Date.now() - startedAtMs) / 1000).toFixed(1)
    console.log(`  PostgreSQL and RabbitMQ are ready (${servers.origin}, ${seconds} s)`)
    return async () => {
      await template.drop()
      await stop()
    }
  } catch (error) {
    await stop()
    throw error
  }
}
