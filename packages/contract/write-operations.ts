import Type, { type Static } from 'typebox'
import { batchLimits, ClickEvent } from './click-event.ts'
import { Problem } from './problem.ts'

export const AcceptedClick = Type.Object({
  id: Type.String(),
  status: Type.Literal('accepted'),
  warning: Type.Optional(Type.Literal('occurred_at_clamped')),
})
export type AcceptedClick = Static<typeof AcceptedClick>

export const BatchResult = Type.Object({
  accepted: Type.Integer(),
  rejected: Type.Integer(),
  results: Type.Array(
    Type.Object({
      index: Type.Integer(),
      id: Type.Union([Type.String(), Type.Null()]),
      status: Type.Union([Type.Literal('accepted'), Type.Literal('rejected')]),
      code: Type.Optional(Type.String({ description: 'Why it was rejected.' })),
      detail: Type.Optional(Type.String()),
      field: Type.Optional(Type.String()),
      warning: Type.Optional(Type.String()),
      serverTime: Type.Optional(Type.String()),
    }),
  ),
})
export type BatchResult = Static<typeof BatchResult>

export const ClickBatch = Type.Object(
  { events: Type.Array(ClickEvent, { minItems: 1, maxItems: batchLimits.events }) },
  { additionalProperties: false },
)

const problem = (description: string) => ({ description, content: { 'application/problem+json': { schema: Problem } } })

const refusals = {
  400: problem('Not JSON, not UTF-8, or broken compression. Sending it again does not help.'),
  413: problem('Too large, or too many events.'),
  415: problem('Not JSON, or an encoding other than gzip and br.'),
  503: {
    ...problem('The click is not safe: the broker did not confirm it. Send it again, with the same id.'),
    headers: { 'retry-after': Type.Integer({ description: 'Seconds to wait.' }) },
  },
}

const batchBody = {
  content: {
    'application/json': { schema: ClickBatch },
    'application/x-ndjson': { schema: Type.String({ description: 'One ClickEvent a line.' }) },
  },
}

const batchResponse = {
  202: BatchResult,
  ...refusals,
  422: {
    description: 'Every event was bad (the same body as 202), or there was none.',
    content: { 'application/json': { schema: BatchResult }, 'application/problem+json': { schema: Problem } },
  },
}

/** What the ingest service answers. Body schemas are for the document: each event is checked by click-check.ts. */
export const writeOperations = {
  postEvent: {
    method: 'POST',
    url: '/v1/events',
    schema: {
      operationId: 'postEvent',
      summary: 'Send one click',
      description: 'Answered 202 once the click is safe at the broker: from then on it is counted, exactly once.',
      tags: ['Send clicks'],
      body: ClickEvent,
      response: { 202: AcceptedClick, ...refusals, 422: problem('The event breaks a rule, which `code` names.') },
    },
  },
  postBatch: {
    method: 'POST',
    url: '/v1/events/batch',
    schema: {
      operationId: 'postBatch',
      summary: 'Send up to 500 clicks',
      description:
        'As JSON, or one event a line as application/x-ndjson; gzip and br are taken. One bad event never sinks the others.',
      tags: ['Send clicks'],
      body: batchBody,
      response: batchResponse,
    },
  },
  postBackfill: {
    method: 'POST',
    url: '/v1/backfill',
    schema: {
      operationId: 'postBackfill',
      summary: 'Send up to 500 old clicks',
      description:
        'As /v1/events/batch, with the same bodies and answers, for clicks of the past: any time since 2000 is taken. ' +
        'Each event needs `occurredAt`, or an `id` with its time inside; one without an id gets an id of its own time. ' +
        'Send ids of your own where you may send again: made ones differ from request to request. ' +
        'There are no keys yet; once there are, this will ask for a secret one.',
      tags: ['Send clicks'],
      body: batchBody,
      response: batchResponse,
    },
  },
} as const
