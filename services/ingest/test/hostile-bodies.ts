import { batchLimits } from '@clicktally/event/click-event.ts'

export interface RequestBody {
  readonly name: string
  readonly path: '/v1/events' | '/v1/events/batch'
  readonly contentType: 'application/json' | 'application/x-ndjson'
  readonly text: string
}

/** The size of each body, less what surrounds its events. */
const bytes = batchLimits.bodyBytes - 1_000

/** The baseline: the largest ordinary batch, 500 events with 30 props each. */
export const validBody: RequestBody = batch(
  '500 valid events with 30 props each',
  list(batchLimits.events, (event) => {
    const props = object(
      30,
      (key) => `"prop-number-${key}":${key % 3 === 0 ? event * key : `"value ${event} ${'y'.repeat(40)}"`}`,
    )
    return `{"target":"target-${event}","visitorId":"visitor-${event}","props":${props}}`
  }),
)

/** Bodies that once cost far more than a valid one of their size, or would with a parser that reads everything. */
export const hostileBodies: readonly RequestBody[] = [
  batch(
    '500 events with 240 bad props each',
    list(500, () => withProps(240, (key) => `"${key}":[]`)),
  ),
  batch(
    'an event with 70,000 bad props',
    withProps(70_000, (key) => `"k${key}":[]`),
  ),
  batch(
    'an event with 70,000 numbers as props',
    withProps(70_000, (key) => `"k${key}":1`),
  ),
  batch(
    'an event whose props are named by sparse numbers',
    withProps(60_000, (key) => `"${key * 60_000}":1`),
  ),
  batch(
    'an event with 80,000 unknown fields',
    object(80_000, (key) => `"${key.toString(36)}":1`),
  ),
  batch(
    '500 events with 60 fields of their own',
    list(500, (event) => object(60, (key) => `"${event * 60 + key}":1`)),
  ),
  batch(
    '500 events with 30 bad props named __proto__',
    list(500, () => withProps(30, (key) => `"__proto__${key}":{}`)),
  ),
  batch('an event with one field many times', `{${repeat('"target":"a",')}"target":"a"}`),
  batch('an event of one number', `{"target":"a","props":{"a":${repeat('9')}}}`),
  batch(
    '500 events of long numbers',
    list(500, () => `{"target":"a","props":{"a":${'9'.repeat(2_000)}}}`),
  ),
  batch(
    '500 events of escapes',
    list(500, () => `{"target":"a","url":"${'\\u0041'.repeat(330)}"}`),
  ),
  batch(
    '500 targets of emoji, too long',
    list(500, () => `{"target":"${'\u{1f469}\u200d'.repeat(285)}"}`),
  ),
  batch('an event of escapes', `{"target":"${repeat('\\u0041')}"}`),
  batch('empty objects', `${repeat('{},')}{}`),
  batch('empty arrays', `${repeat('[],')}[]`),
  batch('empty strings', `${repeat('"",')}""`),
  batch('numbers', `${repeat('1.1e9,')}0`),
  batch('arrays in arrays', `${'['.repeat(bytes / 2)}${']'.repeat(bytes / 2)}`),
  batch('objects in objects', `${'{"a":'.repeat(bytes / 6)}1${'}'.repeat(bytes / 6)}`),
  batch('opening brackets', repeat('[')),
  json('nothing but opening brackets', repeat('[')),
  json('nothing but opening quotes', repeat('"')),
  json('nothing but line breaks', repeat('\n')),
  json('nothing but commas', repeat(',')),
  ndjson('line breaks', repeat('\n')),
  ndjson('blank lines', repeat(' \n')),
  ndjson('empty objects', repeat('{}\n')),
  ndjson(
    '500 lines of opening brackets',
    lines(() => '['.repeat(2_000)),
  ),
  ndjson(
    '500 lines of arrays in arrays',
    lines(() => `${'['.repeat(1_000)}${']'.repeat(1_000)}`),
  ),
  ndjson(
    '500 lines of arrays in props',
    lines(() => `{"target":"a","props":{"a":[${'[],'.repeat(650)}0]}}`),
  ),
  ndjson(
    '500 lines that are not JSON',
    lines(() => 'x'.repeat(2_000)),
  ),
  {
    name: 'a single event of opening brackets',
    path: '/v1/events',
    contentType: 'application/json',
    text: '['.repeat(32_000),
  },
]

function batch(name: string, elements: string): RequestBody {
  return json(`a batch: ${name}`, `{"events":[${elements}]}`)
}

function json(name: string, text: string): RequestBody {
  return { name, path: '/v1/events/batch', contentType: 'application/json', text }
}

function ndjson(name: string, text: string): RequestBody {
  return { name: `NDJSON: ${name}`, path: '/v1/events/batch', contentType: 'application/x-ndjson', text }
}

function list(length: number, element: (index: number) => string): string {
  return Array.from({ length }, (_, index) => element(index)).join(',')
}

function object(fields: number, field: (index: number) => string): string {
  return `{${list(fields, field)}}`
}

function withProps(count: number, prop: (index: number) => string): string {
  return `{"target":"a","props":${object(count, prop)}}`
}

function lines(line: () => string): string {
  return Array.from({ length: 500 }, line).join('\n')
}

/** Repeats the text as often as it fits into a body. */
function repeat(text: string): string {
  return text.repeat(bytes / text.length)
}
