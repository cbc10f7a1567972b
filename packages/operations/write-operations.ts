import { batchLimits, ClickEvent } from '@clicktally/event/click-event.ts'
import Type, { type Static } from 'typebox'
import { Problem } from './problem.ts'

export const AcceptedClick = Type.Object(
  {
    id: Type.String(),
    status: Type.Literal('accepted'),
    warning: Type.Optional(Type.Literal('occurred_at_clamped')),
  },
  {
    title: 'AcceptedClick',
    examples: [{ id: '01a1fbf9-47c2-790c-9f4f-1b848ca0e748', status: 'accepted' }],
  },
)
export type AcceptedClick = Static<typeof AcceptedClick>

export const BatchResult = Type.Object(
  {
    accepted: Type.Integer(),
    rejected: Type.Integer(),
    results: Type.Array(
      Type.Object({
        index: Type.Integer(),
        id: Type.Union([Type.String(), Type.Null()]),
        status: Type.Enum(['accepted', 'rejected']),
        code: Type.Optional(Type.String({ description: 'Why the event was rejected.' })),
        detail: Type.Optional(Type.String()),
        field: Type.Optional(Type.String()),
        warning: Type.Optional(Type.String()),
        serverTime: Type.Optional(Type.String()),
      }),
    ),
  },
  {
    title: 'BatchResult',
    examples: [
      {
        accepted: 1,
        rejected: 0,
        results: [{ index: 0, id: '01a1fbf9-47c2-790c-9f4f-1b848ca0e748', status: 'accepted' }],
      },
    ],
  },
)
export type BatchResult = Static<typeof BatchResult>

export const ClickBatch = Type.Object(
  { events: Type.Array(ClickEvent, { minItems: 1, maxItems: batchLimits.events }) },
  {
    additionalProperties: false,
    title: 'Batch',
  },
)

const problem = (description: string) => ({ description, content: { 'application/problem+json': { schema: Problem } } })

const refusals = {
  400: problem('The body is not valid JSON or UTF-8, or its compression is corrupt. Do not retry.'),
  401: problem('There is no key, or it is not valid.'),
  403: problem('The key lacks the right, or does not list the origin of the page.'),
  413: problem('The body or an event is too large, or the batch has too many events.'),
  415: problem('The Content-Type is not supported, or the Content-Encoding is not gzip or br.'),
  429: {
    ...problem('The key or the client address exceeds its rate limit. Retry with the same ids.'),
    headers: { 'retry-after': Type.Integer({ description: 'Seconds to wait before the retry.' }) },
  },
  503: {
    ...problem('The broker did not confirm the click. Retry with the same id.'),
    headers: { 'retry-after': Type.Integer({ description: 'Seconds to wait before the retry.' }) },
  },
}

/** The body of a batch in each format, with this event as its example. */
const batchBody = (example: ClickEvent) => ({
  content: {
    'application/json': { schema: { ...ClickBatch, examples: [{ events: [example] }] } },
    'application/x-ndjson': {
      schema: Type.String({ description: 'One ClickEvent per line.', examples: [`${JSON.stringify(example)}\n`] }),
    },
  },
})

/** A batch, or one event. Its key may be in the body, as `key` beside `events` or beside the fields of the event. */
const beaconBody = {
  content: {
    'text/plain': {
      schema: Type.String({
        description: 'The JSON of a batch or of one event, with the `key` in it if it is not in the query.',
        examples: [JSON.stringify({ events: [{ target: 'signup-button' }] })],
      }),
    },
    'application/json': { schema: { ...ClickBatch, examples: [{ events: [{ target: 'signup-button' }] }] } },
  },
}

const batchResponse = {
  202: BatchResult,
  ...refusals,
  422: {
    description: 'All events were rejected (same body as 202), or the batch is empty or malformed (problem details).',
    content: { 'application/json': { schema: BatchResult }, 'application/problem+json': { schema: Problem } },
  },
}

/** Clicks are not sent with a session. */
const byKey = [{ key: [] }]
const byKeyOrQuery = [{ key: [] }, { keyInQuery: [] }]

/** Operations of the ingest service. The body schemas are documentation only: click-check.ts validates each event. */
export const writeOperations = {
  postEvent: {
    method: 'POST',
    url: '/v1/events',
    schema: {
      operationId: 'postEvent',
      summary: 'Send one click',
      description: 'Responds with 202 after the broker has stored the click. The click is then counted exactly once.',
      tags: ['Send clicks'],
      security: byKey,
      body: ClickEvent,
      response: {
        202: AcceptedClick,
        ...refusals,
        422: problem('The event is invalid. `code` names the rule that it violates.'),
      },
    },
  },
  postBatch: {
    method: 'POST',
    url: '/v1/events/batch',
    schema: {
      operationId: 'postBatch',
      summary: 'Send up to 500 clicks',
      description:
        'Send JSON, or one event per line as application/x-ndjson, optionally compressed with gzip or br. Each event is accepted or rejected on its own.',
      tags: ['Send clicks'],
      security: byKey,
      body: batchBody({ target: 'signup-button', visitorId: 'u-17' }),
      response: batchResponse,
    },
  },
  postClicks: {
    method: 'POST',
    url: '/v1/c',
    schema: {
      operationId: 'postClicks',
      summary: 'Send clicks from a page, without a preflight',
      description:
        'Like /v1/events/batch, with at most 128 KiB. As `text/plain`, and with the key in the query or in the body, a browser sends it without a preflight, even while the page is being left.',
      tags: ['Send clicks'],
      security: byKeyOrQuery,
      body: beaconBody,
      response: batchResponse,
    },
  },
  postBeacon: {
    method: 'POST',
    url: '/v1/beacon',
    schema: {
      operationId: 'postBeacon',
      summary: 'Send clicks with navigator.sendBeacon()',
      description: 'Like /v1/c, but answers without a body if at least one click was accepted.',
      tags: ['Send clicks'],
      security: byKeyOrQuery,
      body: beaconBody,
      response: {
        204: Type.Null({ description: 'At least one click was accepted: the broker has stored it.' }),
        ...refusals,
        422: batchResponse[422],
      },
    },
  },
  getPixel: {
    method: 'GET',
    url: '/v1/p.gif',
    schema: {
      operationId: 'getPixel',
      summary: 'Send one click by loading an image',
      description:
        'For e-mails and pages without scripts. Takes the fields of an event as parameters, and props as `props.<name>`. Answers 200 with a transparent image, which is never cached, whatever the outcome (429 only if the client address exceeds its limit). The header `Clicktally-Outcome` is `accepted` or the code of the error, `Clicktally-Id` the id of the click. A `write` key works on pages of its origins, which the browser tells by Referer, and everywhere if it lists `*`.',
      tags: ['Send clicks'],
      security: byKeyOrQuery,
      querystring: Type.Object({
        target: Type.String({
          description: 'What was clicked.',
          examples: ['newsletter'],
          minLength: 1,
          maxLength: 256,
        }),
        id: Type.Optional(
          Type.String({ description: 'A UUID of version 7. Clicks with the same id are counted once.', maxLength: 64 }),
        ),
        visitorId: Type.Optional(Type.String({ description: 'Who clicked.', maxLength: 128 })),
        url: Type.Optional(Type.String({ description: 'The page.', maxLength: 2048 })),
        referrer: Type.Optional(Type.String({ description: 'The page that led to it.', maxLength: 2048 })),
      }),
      response: {
        200: {
          description: 'The image.',
          headers: {
            'clicktally-outcome': Type.String({ description: '`accepted`, or the code of the error.' }),
            'clicktally-id': Type.String({ description: 'The id of the click, if it was accepted.' }),
          },
          content: { 'image/gif': { schema: {}, example: 'GIF89a…' } },
        },
        429: refusals[429],
      },
    },
  },
  postBackfill: {
    method: 'POST',
    url: '/v1/backfill',
    schema: {
      operationId: 'postBackfill',
      summary: 'Send up to 500 old clicks',
      description:
        'Like /v1/events/batch, with the same request and response bodies, but accepts any time since the year 2000. ' +
        'Each event needs `occurredAt`, or an `id` that contains its time. An event without an id gets one derived from `occurredAt`. ' +
        'If you may send an event again, set its `id`: generated ids differ between requests. Requires a `secret` key.',
      tags: ['Send clicks'],
      security: byKey,
      body: batchBody({ target: 'signup-button', visitorId: 'u-17', occurredAt: '2025-11-21T10:15:30.250Z' }),
      response: batchResponse,
    },
  },
} as const
