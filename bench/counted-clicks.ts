import type { Client } from 'pg'

/** What a database holds: the oracle's two sides. */
export interface CountedClicks {
  /** Clicks that are stored. */
  readonly stored: number
  /** The sum of all counters. */
  readonly counted: number
}

export async function readCountedClicks(client: Client): Promise<CountedClicks> {
  const { rows } = await client.query<CountedClicks>(
    `select (select count(*) from clicks)::float8 as stored,
            (select coalesce(sum(total + bots), 0) from counters)::float8 as counted`,
  )
  return rows[0] ?? { stored: Number.NaN, counted: Number.NaN }
}

/** Why the figures of a measurement count for nothing; undefined when all that was sent is stored and counted, once. */
export function voidReason(what: string, sent: number, { stored, counted }: CountedClicks): string | undefined {
  if (stored === sent && counted === sent) return undefined
  return `${what}: ${sent} different clicks were sent, ${stored} are stored, and the counters say ${counted}`
}
