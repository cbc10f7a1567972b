import { readArchiveSettings } from '@clicktally/archive/archive-settings.ts'
import { Environment } from '@clicktally/config/environment.ts'
import { readHttpSettings } from '@clicktally/http/http-settings.ts'

const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 }
/** Node's timers take at most 24 days. */
const maxEveryMs = 20 * unitMs.d
const maxDays = 36_500

/** The janitor's settings, from environment variables; `.env.example` explains each. */
export function readConfig(source: NodeJS.ProcessEnv) {
  const env = new Environment(source)
  const config = {
    ...readHttpSettings(env),
    databaseUrl: env.clusterUrl(
      'DATABASE_URL',
      'postgres://clicktally_janitor@127.0.0.1:5432/clicktally',
      ['postgres:', 'postgresql:'],
      'DATABASE_PASSWORD',
    ),
    /** Milliseconds between two runs. */
    every: env.parsed<number | 'once'>(
      'JANITOR_EVERY',
      6 * unitMs.h,
      parseEvery,
      '"once", or a number of minutes, hours or days up to 20 days, such as 30m, 6h or 1d',
    ),
    archive: readArchiveSettings(env),
    ages: {
      // 90 days are enough to see what was replayed or discarded, and why.
      deadLetterDays: env.integer('KEEP_DEAD_LETTERS_DAYS', 90, 1, maxDays),
      auditLogDays: env.integer('KEEP_AUDIT_LOG_DAYS', 730, 90, maxDays),
      // Longer than any backup of the broker's disk is likely to be kept.
      producerDays: env.integer('KEEP_PRODUCERS_DAYS', 400, 31, maxDays),
    },
  }
  env.check()
  return config
}

function parseEvery(text: string): number | 'once' | undefined {
  if (text === 'once') return text
  const [, digits, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? []
  if (digits === undefined) return undefined
  const everyMs = Number(digits) * unitMs[unit as keyof typeof unitMs]
  return everyMs > 0 && everyMs <= maxEveryMs ? everyMs : undefined
}
