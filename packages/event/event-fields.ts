/** Types of columns in the table `clicks`. */
export type ColumnType = 'uuid' | 'text' | 'timestamptz' | 'boolean' | 'jsonb'

/** A field of an event or of a click. */
export interface EventField {
  /** In events and in messages. */
  readonly name: string
  /** The column that stores it. Absent: it is not stored, nor part of a message. */
  readonly column?: string
  readonly type: ColumnType
  readonly optional: boolean
  /**
   * Who sets the field. `server`: only senders with a secret key. `ingest`: ingest derives it, and it is not a field of events.
   * Absent: every sender.
   */
  readonly setBy?: 'server' | 'ingest'
  /** Least and greatest length of a text, in characters. */
  readonly minChars?: number
  readonly maxChars?: number
  /** A regular expression that the whole text matches. */
  readonly pattern?: string
  /** What the field is for; shown in the API reference. */
  readonly description: string
  readonly examples?: readonly string[]
  /** Whether it may identify a person, or describe one. The api shows such fields only to auditors and owners. */
  readonly isPersonal?: boolean
}

/**
 * How the ids of visitors begin that ingest derives from the browser. Clients cannot send such an id: otherwise a page could
 * choose the id of another visitor, and a derived visitor could not be told from one that a client named.
 */
export const derivedVisitorPrefix = 'derived:'

/**
 * The fields of events and clicks. The schemas, the check, the message format, the rows in the database and the CSV import follow from
 * this table. A new optional text needs a line here, a migration that adds the column, and a line in the README.
 *
 * Messages carry the optional texts in this order. Processors of an earlier version read such messages, but do not store the
 * new field: update the processors before ingest.
 */
export const eventFields = [
  {
    name: 'id',
    column: 'id',
    type: 'uuid',
    optional: true,
    description:
      'A UUID of version 7. Clicks with the same id are counted once: generate it yourself if you may retry. If absent, the server generates and returns it.',
    examples: ['019aa3f0-5c00-7abc-8def-0123456789ab'],
  },
  {
    name: 'target',
    column: 'target',
    type: 'text',
    optional: false,
    minChars: 1,
    maxChars: 256,
    description: 'What was clicked.',
    examples: ['signup-button'],
  },
  {
    name: 'occurredAt',
    column: 'occurred_at',
    type: 'timestamptz',
    optional: true,
    maxChars: 40,
    description:
      'RFC 3339. Default: the time in the id, if you sent one, else the start of the request. A time more than 5 minutes ahead is set to now.',
    examples: ['2026-11-21T10:15:30.250Z'],
  },
  {
    name: 'visitorId',
    column: 'visitor_id',
    type: 'text',
    optional: true,
    minChars: 1,
    maxChars: 128,
    description:
      'Who clicked, for counting unique visitors. Must not begin with "derived:". Default for clicks from a web page (write key): a pseudonym for one day, derived from the network address and the user agent, unless the project turns this off.',
    isPersonal: true,
  },
  {
    name: 'url',
    column: 'url',
    type: 'text',
    optional: true,
    maxChars: 2048,
    description: 'The page on which the click happened.',
    isPersonal: true,
  },
  {
    name: 'referrer',
    column: 'referrer',
    type: 'text',
    optional: true,
    maxChars: 2048,
    description: 'The page that led to this one.',
    isPersonal: true,
  },
  {
    name: 'country',
    column: 'country',
    type: 'text',
    optional: true,
    setBy: 'server',
    maxChars: 2,
    pattern: '^[A-Z]{2}$',
    description:
      'The country of the visitor, as an ISO 3166 code of two capital letters. Needs a secret key. Default for clicks from a web page (write key): what the server knows from a header or the address, if it is configured.',
    examples: ['DE'],
  },
  {
    name: 'userAgent',
    type: 'text',
    optional: true,
    setBy: 'server',
    maxChars: 512,
    description:
      'The User-Agent of the visitor. Browser, operating system and device are read from it, and whether it is a bot; it is not stored. Needs a secret key. For clicks from a web page (write key) the header of the request is used.',
  },
  {
    name: 'agent',
    column: 'agent',
    type: 'text',
    optional: true,
    setBy: 'ingest',
    maxChars: 3,
    description: 'Codes of browser, operating system and device, from packages/dimensions/agent-codes.ts.',
  },
  {
    name: 'props',
    column: 'props',
    type: 'jsonb',
    optional: true,
    description: 'A flat object with your own data: strings, finite numbers, booleans, nulls.',
    isPersonal: true,
  },
  {
    name: 'bot',
    column: 'bot',
    type: 'boolean',
    optional: true,
    description:
      'The click came from a program, not a person; counted separately. Default: whether the user agent is that of a known bot.',
  },
] as const satisfies readonly EventField[]

export type EventFields = typeof eventFields

/** The fields that clients can send. */
export type SentField = Exclude<EventFields[number], { setBy: 'ingest' }>

/** The fields among these that clients can send. */
export function sentFields<Field extends EventField>(fields: readonly Field[]): Exclude<Field, { setBy: 'ingest' }>[] {
  return fields.filter((field): field is Exclude<Field, { setBy: 'ingest' }> => field.setBy !== 'ingest')
}

/** The fields that are stored. */
export type StoredField = Extract<EventFields[number], { column: string }>

/** The fields that are stored. */
export const storedFields: readonly (EventField & { readonly column: string })[] = eventFields.filter(
  (field) => 'column' in field,
)

/** Names of the optional texts that are stored. */
export type OptionalTextName = Extract<StoredField, { type: 'text'; optional: true }>['name']

/** A field that is only stored. A copy of the table may have more of them; the types know those of the table. */
export interface OptionalText {
  readonly name: OptionalTextName
  readonly column: string
  readonly maxChars: number
}

/** The optional texts among these fields that are stored, in their order. @throws {Error} if one has no `maxChars` */
export function optionalTexts(fields: readonly EventField[] = eventFields): OptionalText[] {
  return fields.flatMap(({ name, column, type, optional, maxChars }) => {
    if (!optional || type !== 'text' || column === undefined) return []
    if (maxChars === undefined) throw new Error(`the field ${name} has no maxChars`)
    return [{ name: name as OptionalTextName, column, maxChars }]
  })
}

/** The most characters that a text may have. */
export function maxCharsOf(name: 'target' | 'userAgent' | OptionalTextName): number {
  const field: EventField | undefined = eventFields.find((each) => each.name === name)
  if (field?.maxChars === undefined) throw new Error(`the field ${name} has no maxChars`)
  return field.maxChars
}
