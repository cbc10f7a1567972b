import { type EventField, storedFields } from '@clicktally/event/event-fields.ts'
import Type, { type Static, type TSchema, type TSchemaOptions } from 'typebox'
import { filters, Meta, problem, refusals, valueFilters } from './read-schemas.ts'

/** A property of a click as the api shows it. */
export interface ClickProperty {
  readonly name: string
  readonly kind: 'id' | 'text' | 'time' | 'boolean' | 'object'
  readonly isOptional: boolean
  /** Whether it is personal data: it is shown only with `personal=true`, which needs the right `audit`. */
  readonly isPersonal: boolean
  readonly description: string
  readonly example: unknown
}

const kinds = { uuid: 'id', text: 'text', timestamptz: 'time', boolean: 'boolean', jsonb: 'object' } as const

function ofField({ name, type, optional, isPersonal = false, description, examples }: EventField): ClickProperty {
  const isOptional = optional && type !== 'uuid' && type !== 'timestamptz' && type !== 'boolean'
  return { name, kind: kinds[type], isOptional, isPersonal, description, example: examples?.[0] ?? null }
}

function ofServer(name: string, description: string): ClickProperty {
  return { name, kind: 'time', isOptional: false, isPersonal: false, description, example: '2026-11-21T10:15:30.400Z' }
}

function ofAgent(name: string, description: string, example: string): ClickProperty {
  return { name, kind: 'text', isOptional: true, isPersonal: false, description, example }
}

/** All properties of a click, personal ones last. Further fields of events follow from the table of fields. */
export const clickProperties: readonly ClickProperty[] = [
  ...storedFields.filter(({ name }) => name !== 'agent').map(ofField),
  ofServer('receivedAt', 'When ingest received the click.'),
  ofServer('countedAt', 'When the click was counted.'),
  ofAgent('browser', 'The browser, without its version.', 'Firefox'),
  ofAgent('os', 'The operating system, without its version.', 'Linux'),
  ofAgent('device', 'The kind of device.', 'Desktop'),
].sort((a, b) => Number(a.isPersonal) - Number(b.isPersonal))

function jsonType(kind: ClickProperty['kind'], options: TSchemaOptions): TSchema {
  switch (kind) {
    case 'boolean':
      return Type.Boolean(options)
    case 'object':
      return Type.Object({}, { ...options, additionalProperties: true })
    default:
      return Type.String(options)
  }
}

function schemaOf({ kind, isOptional, isPersonal, description }: ClickProperty): TSchema {
  const whether = isPersonal ? 'Personal data: only with `personal=true`.' : 'Not personal data.'
  const options = { description: `${description} ${whether}`, 'x-personal-data': isPersonal }
  const value = jsonType(kind, isOptional ? {} : options)
  const nullable = isOptional ? Type.Union([value, Type.Null()], options) : value
  return isPersonal ? Type.Optional(nullable) : nullable
}

/** A raw click. The properties are those of `clickProperties`. */
export type ClickRecord = { readonly id: string } & Readonly<Record<string, unknown>>

const exampleClick = Object.fromEntries(
  clickProperties
    .filter(({ isPersonal }) => !isPersonal)
    .map(({ name, kind, example }) => [name, kind === 'boolean' ? false : example]),
)

export const ClickList = Type.Object(
  {
    clicks: Type.Array(
      Type.Object(Object.fromEntries(clickProperties.map((property) => [property.name, schemaOf(property)])), {
        title: 'ClickRecord',
      }),
    ),
    nextCursor: Type.Union([Type.String(), Type.Null()], {
      description:
        'The cursor of the next page. A page may have fewer clicks than `limit`, or none, and a further page all the same. Null: there are no more clicks.',
    }),
    meta: Meta,
  },
  {
    title: 'ClickList',
    examples: [
      {
        clicks: [exampleClick],
        nextCursor: null,
        meta: { asOf: '2026-11-21T10:16:00.000Z', lagMs: 180, tz: 'UTC', source: 'clicks', from: null, to: null },
      },
    ],
  },
)
export interface ClickList {
  clicks: ClickRecord[]
  nextCursor: string | null
  meta: Static<typeof Meta>
}

const personal = Type.Optional(
  Type.Boolean({
    description:
      'Whether to add the personal data: visitor, page, referrer and props. Needs a key of the role `auditor` or `owner`, or a user.',
    default: false,
  }),
)

export const ClickListQuery = Type.Object(
  {
    ...filters,
    ...valueFilters,
    personal,
    limit: Type.Optional(
      Type.Integer({ description: 'Maximum number of clicks.', minimum: 1, maximum: 1000, default: 100 }),
    ),
    cursor: Type.Optional(Type.String({ description: '`nextCursor` of the previous page.', maxLength: 64 })),
  },
  { additionalProperties: false },
)

export const exportFormats = ['csv', 'ndjson', 'parquet'] as const
export type ExportFormatName = (typeof exportFormats)[number]

export const ExportQuery = Type.Object(
  {
    ...filters,
    ...valueFilters,
    personal,
    format: Type.Enum([...exportFormats], { description: 'The format of the file.', examples: ['csv'] }),
    after: Type.Optional(
      Type.String({
        description:
          'Continues an export: the id of the last click that was received completely. Clicks with greater ids follow.',
        maxLength: 64,
      }),
    ),
  },
  { additionalProperties: false },
)

const tags = ['Read clicks']
const file = (description: string, example: string) => ({ schema: Type.String({ description }), example })

/** Operations on raw clicks. */
export const clickOperations = {
  listClicks: {
    method: 'GET',
    url: '/v1/events',
    schema: {
      operationId: 'listClicks',
      summary: 'List clicks, the newest first',
      description:
        'Ordered by id, descending: by the time in it, which is the time of the request for most clicks. `from` and `to` apply to `occurredAt`. With `filter`, each click of the range is read: if few meet the conditions, pages come with few clicks, or none, after 2 s of reading.',
      tags,
      querystring: ClickListQuery,
      response: { 200: ClickList, ...refusals },
    },
  },
  exportClicks: {
    method: 'GET',
    url: '/v1/export',
    schema: {
      operationId: 'exportClicks',
      summary: 'Export clicks as a file',
      description:
        "Streams every click that was counted before the request, ordered by id; clicks that are counted meanwhile may be included. The header `Clicktally-As-Of` has the `asOf` of the start. An export that breaks off can be continued with `after`, and has then the same clicks as one that does not. A key or user can have one export at a time. In CSV, a text that begins with one of `= + - @ '`, a tab or a line break is preceded by an apostrophe, because spreadsheets would run it as a formula: to read the original text, remove one leading apostrophe.",
      tags,
      querystring: ExportQuery,
      response: {
        200: {
          description: 'The file. It is complete if the response ends regularly.',
          content: {
            'text/csv': file(
              'A header, and a line for each click.',
              'id,target\r\n019aa3f0-5c00-7abc-8def-0123456789ab,"a"\r\n',
            ),
            'application/x-ndjson': file('A JSON object in each line.', `${JSON.stringify(exampleClick)}\n`),
            'application/vnd.apache.parquet': file('A Parquet file.', 'PAR1…PAR1'),
          },
        },
        ...refusals,
        429: problem('The key or user has an export in progress.'),
      },
    },
  },
} as const
