/**
 * What every message reports for the ledger, in its headers: its number among the messages of its producer, and the outcome of the
 * earlier ones. A producer is one connection of one publisher. Its messages are numbered from 1.
 *
 * The ledger in the database is built from these stamps alone. Since each message carries running totals, a lost message is
 * detected as soon as any later one arrives.
 */
export interface LedgerStamp {
  /** A UUID, unique for each connection. */
  readonly producer: string
  readonly sequence: number
  /** Clicks in this message; 0 in a message that only reports. */
  readonly clicks: number
  /** Every message of this producer up to this sequence was confirmed or refused. */
  readonly settled: number
  /** Clicks in those of them that were confirmed. */
  readonly confirmed: number
  /** How the publisher's previous connection ended; absent on its first. */
  readonly previous?: PreviousProducer
}

export interface PreviousProducer {
  readonly producer: string
  /** Clicks of all its messages that were confirmed. */
  readonly confirmed: number
  /** The sequences of those neither confirmed nor refused when the connection broke: they may have arrived. */
  readonly unknown: readonly number[]
}

/** Far more than a publisher has in flight. */
const maxUnknown = 1_000

/** The AMQP headers that carry the stamp. */
export function stampHeaders(stamp: LedgerStamp): Record<string, string | number> {
  const { producer, sequence, clicks, settled, confirmed, previous } = stamp
  return {
    producer,
    sequence,
    clicks,
    settled,
    confirmed,
    ...(previous !== undefined && {
      'previous-producer': previous.producer,
      'previous-confirmed': previous.confirmed,
      'previous-unknown': previous.unknown.join(','),
    }),
  }
}

/** The stamp in a message's headers; undefined if it is absent or incomplete. Never throws. */
export function readStamp(headers: Readonly<Record<string, unknown>> | undefined): LedgerStamp | undefined {
  const producer = uuid(headers?.producer)
  const sequence = count(headers?.sequence)
  const clicks = count(headers?.clicks)
  const settled = count(headers?.settled)
  const confirmed = count(headers?.confirmed)
  if (producer === undefined || !sequence || clicks === undefined) return undefined
  if (settled === undefined || settled >= sequence || confirmed === undefined) return undefined
  const previous = readPrevious(headers)
  return { producer, sequence, clicks, settled, confirmed, ...(previous !== undefined && { previous }) }
}

function readPrevious(headers: Readonly<Record<string, unknown>> | undefined): PreviousProducer | undefined {
  const producer = uuid(headers?.['previous-producer'])
  const confirmed = count(headers?.['previous-confirmed'])
  const text = headers?.['previous-unknown']
  if (producer === undefined || confirmed === undefined || typeof text !== 'string') return undefined
  const unknown = text === '' ? [] : text.split(',').map(Number)
  return unknown.length <= maxUnknown && unknown.every(Number.isSafeInteger)
    ? { producer, confirmed, unknown }
    : undefined
}

function uuid(value: unknown): string | undefined {
  return typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value) ? value : undefined
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}
