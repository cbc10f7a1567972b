import Type, { type Static } from 'typebox'
import { conflict, noContent, problem, refusals } from './responses.ts'
import { closed, OptionalTime, ProjectName, params, Time } from './values.ts'

const exampleTime = '2026-11-28T10:00:00.000Z'
const exampleId = '01a1fbf9-47c2-790c-9f4f-1b848ca0e748'
const exampleWebhook = {
  ...{ id: exampleId, project: 'default', url: 'https://hooks.example/clicktally' },
  ...{ state: 'enabled', disabledBecause: null, undelivered: 0, lastError: null },
  ...{ nextAttemptAt: null, createdAt: exampleTime },
} as const
const exampleDelivery = {
  ...{ event: exampleId, type: 'test', state: 'delivered', attempts: 1, createdAt: exampleTime },
  ...{ lastAttemptAt: exampleTime, lastStatus: 204, lastError: null, nextAttemptAt: null },
  body: '{"type":"test","timestamp":"2026-11-28T10:00:00.000Z","data":{"project":"default"}}',
} as const

const id = Type.String({ description: 'As in the list of webhooks.', maxLength: 64 })
const Url = Type.String({
  description: 'Where events are sent, such as https://hooks.example/clicktally. It must use https.',
  minLength: 1,
  maxLength: 2_048,
})

export const Webhook = Type.Object(
  {
    id: Type.String(),
    project: ProjectName,
    url: Url,
    state: Type.Enum(['enabled', 'failing', 'disabled'], {
      description: '`failing`: the latest attempt of a delivery failed, and is repeated.',
    }),
    disabledBecause: Type.Union([Type.Enum(['owner', 'failing', 'gone']), Type.Null()], {
      description:
        '`failing`: an event could not be delivered for a day. `gone`: the receiver answered 410. In both cases its events are kept.',
    }),
    undelivered: Type.Integer({ description: 'Events of the last 30 days that are not delivered.' }),
    lastError: Type.Union([Type.String(), Type.Null()], {
      description: 'Why the latest attempt failed. Null if it did not.',
    }),
    nextAttemptAt: OptionalTime,
    createdAt: Time,
  },
  { title: 'Webhook', examples: [exampleWebhook] },
)
export type Webhook = Static<typeof Webhook>

export const NewWebhook = Type.Object(
  {
    webhook: Webhook,
    secret: Type.String({
      description: 'With it the receiver verifies signatures (https://www.standardwebhooks.com). It is shown only now.',
    }),
  },
  { title: 'NewWebhook', examples: [{ webhook: exampleWebhook, secret: 'whsec_…' }] },
)
export type NewWebhook = Static<typeof NewWebhook>

const WebhookList = Type.Object(
  { webhooks: Type.Array(Webhook) },
  { title: 'WebhookList', examples: [{ webhooks: [exampleWebhook] }] },
)

export const Delivery = Type.Object(
  {
    event: Type.String({ description: 'The id of the event: the header `webhook-id`, the same at each attempt.' }),
    type: Type.String(),
    state: Type.Enum(['waiting', 'delivered', 'given_up'], {
      description:
        '`waiting`: of a disabled webhook until it is enabled. `given_up`: ten attempts failed within a day.',
    }),
    attempts: Type.Integer(),
    createdAt: Time,
    lastAttemptAt: OptionalTime,
    lastStatus: Type.Union([Type.Integer(), Type.Null()], {
      description: 'The status that the receiver answered. Null if it did not.',
    }),
    lastError: Type.Union([Type.String(), Type.Null()]),
    nextAttemptAt: OptionalTime,
    body: Type.String({ description: 'What is sent, as JSON.' }),
  },
  { title: 'Delivery', examples: [exampleDelivery] },
)
export type Delivery = Static<typeof Delivery>

const DeliveryList = Type.Object(
  { deliveries: Type.Array(Delivery) },
  { title: 'DeliveryList', examples: [{ deliveries: [exampleDelivery] }] },
)
const Redelivery = Type.Object(
  { deliveries: Type.Integer({ description: 'How many are sent again.' }) },
  { title: 'Redelivery', examples: [{ deliveries: 1 }] },
)
const tags = ['Webhooks']
const missing = { 404: problem('There is no such project, webhook or event.') }

/** Operations on webhooks. */
export const webhookOperations = {
  listWebhooks: {
    method: 'GET',
    url: '/v1/webhooks',
    schema: {
      operationId: 'listWebhooks',
      summary: 'List webhooks',
      tags,
      querystring: Type.Object({ project: Type.Optional(ProjectName) }, closed),
      response: { 200: WebhookList, ...refusals },
    },
  },
  createWebhook: {
    method: 'POST',
    url: '/v1/webhooks',
    schema: {
      operationId: 'createWebhook',
      summary: 'Create a webhook, to which the events of the project are sent; its secret is shown once',
      tags,
      body: Type.Object(
        { url: Url, project: Type.Optional(ProjectName) },
        { ...closed, examples: [{ url: 'https://hooks.example/clicktally' }] },
      ),
      response: { 201: NewWebhook, ...refusals, ...missing, ...conflict },
    },
  },
  changeWebhook: {
    method: 'PATCH',
    url: '/v1/webhooks/:id',
    schema: {
      operationId: 'changeWebhook',
      summary: 'Disable or enable a webhook; enabling it sends what is undelivered',
      tags,
      params: params({ id }),
      body: Type.Object({ enabled: Type.Boolean() }, { ...closed, examples: [{ enabled: true }] }),
      response: { 200: Webhook, ...refusals, ...missing },
    },
  },
  rotateWebhookSecret: {
    method: 'POST',
    url: '/v1/webhooks/:id/rotate',
    schema: {
      operationId: 'rotateWebhookSecret',
      summary: 'Replace the secret of a webhook; for some time requests are signed with both',
      description:
        'Such a request has a signature of each secret, of which receivers accept any. Secrets that were replaced earlier are used until their own time, the last five at most; with an overlap of 0 none is used any more.',
      tags,
      params: params({ id }),
      body: Type.Object(
        {
          overlapSeconds: Type.Optional(
            Type.Integer({
              description:
                'How long requests are signed with the old secret too. 0 if others may know it: then all old ones end.',
              minimum: 0,
              maximum: 31_536_000,
              default: 86_400,
            }),
          ),
        },
        { ...closed, examples: [{ overlapSeconds: 3_600 }] },
      ),
      response: { 200: NewWebhook, ...refusals, ...missing },
    },
  },
  testWebhook: {
    method: 'POST',
    url: '/v1/webhooks/:id/test',
    schema: {
      operationId: 'testWebhook',
      summary: 'Send an event of the type `test`',
      description: 'It is sent within seconds. The list of deliveries tells what became of it.',
      tags,
      params: params({ id }),
      response: { 202: Delivery, ...refusals, ...missing, ...conflict },
    },
  },
  listDeliveries: {
    method: 'GET',
    url: '/v1/webhooks/:id/deliveries',
    schema: {
      operationId: 'listDeliveries',
      summary: 'List the deliveries of a webhook, the newest event first',
      description: 'Events are kept for 30 days.',
      tags,
      params: params({ id }),
      querystring: Type.Object(
        {
          limit: Type.Optional(
            Type.Integer({ description: 'Maximum number of deliveries.', minimum: 1, maximum: 1_000, default: 100 }),
          ),
        },
        closed,
      ),
      response: { 200: DeliveryList, ...refusals, ...missing },
    },
  },
  redeliver: {
    method: 'POST',
    url: '/v1/webhooks/:id/redeliver',
    schema: {
      operationId: 'redeliver',
      summary: 'Send an event again, or everything that is undelivered, without waiting for the next attempt',
      tags,
      params: params({ id }),
      body: Type.Object(
        {
          event: Type.Optional(
            Type.String({
              description: 'Also one that was delivered. Absent: all that are undelivered.',
              maxLength: 64,
            }),
          ),
        },
        { ...closed, examples: [{}] },
      ),
      response: { 202: Redelivery, ...refusals, ...missing, ...conflict },
    },
  },
  deleteWebhook: {
    method: 'DELETE',
    url: '/v1/webhooks/:id',
    schema: {
      operationId: 'deleteWebhook',
      summary: 'Delete a webhook and its deliveries',
      tags,
      params: params({ id }),
      response: { ...noContent, ...refusals, ...missing },
    },
  },
} as const
