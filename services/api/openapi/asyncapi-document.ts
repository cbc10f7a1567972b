import { liveTopology } from '@clicktally/broker/live-topology.ts'
import { topology } from '@clicktally/broker/topology.ts'
import { Click } from '@clicktally/event/click.ts'
import { clicksMessageType, earlierClicksMessageType } from '@clicktally/message/message-type.ts'
import { ShortClick } from '@clicktally/message/short-line.ts'
import { liveEvents } from '@clicktally/operations/live-operations.ts'

const ref = (path: string) => ({ $ref: `#/${path}` })
const refs = (names: readonly string[], path: (name: string) => string) =>
  Object.fromEntries(names.map((name) => [name, ref(path(name))]))

interface EventSchema {
  readonly title: string
  readonly description: string
  readonly examples: readonly object[]
}

/** The schemas of the events by name, with what TypeBox's types do not show. */
const schemas = liveEvents as unknown as Readonly<Record<string, EventSchema>>
const eventNames = Object.keys(schemas)

/** Builds the AsyncAPI 3 document for what is not a response to a request: the events of /v1/live, and the messages with clicks. */
export function asyncApiDocument(version: string): object {
  const document = {
    asyncapi: '3.0.0',
    info: {
      title: 'Clicktally',
      version,
      description:
        'Events that viewers are sent, and messages between the services. /openapi.json describes the requests.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    servers: {
      http: { host: 'localhost:8080', protocol: 'http', description: 'nginx, with a key as in /openapi.json.' },
      broker: { host: 'localhost:5672', protocol: 'amqp', description: 'RabbitMQ. Only the services may connect.' },
    },
    channels: {
      live: {
        address: '/v1/live',
        title: 'Live clicks',
        description:
          'Server-sent events. The name of a message is the name of the event, its payload the data. The id of an event is a place at which a viewer can resume.',
        servers: [ref('servers/http')],
        messages: refs(eventNames, (name) => `components/messages/${name}`),
      },
      clicks: {
        address: topology.routingKey,
        title: 'Accepted clicks',
        description: `Published to the exchange ${topology.exchange}, consumed from the queue ${topology.queue}. What was counted goes to the exchange ${liveTopology.exchange}, in a format that may change.`,
        servers: [ref('servers/broker')],
        messages: refs(['clicks'], (name) => `components/messages/${name}`),
        bindings: {
          amqp: {
            is: 'routingKey',
            exchange: { name: topology.exchange, type: 'direct', durable: true, autoDelete: false, vhost: '/' },
          },
        },
      },
    },
    operations: {
      watchClicks: {
        action: 'send',
        summary: 'Clicktally sends what it has just counted.',
        channel: ref('channels/live'),
        messages: eventNames.map((name) => ref(`channels/live/messages/${name}`)),
      },
      countClicks: {
        action: 'receive',
        summary: 'A processor counts clicks.',
        channel: ref('channels/clicks'),
        messages: [ref('channels/clicks/messages/clicks')],
      },
    },
    components: {
      messages: {
        ...Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, eventMessage(name, schema)])),
        clicks: {
          name: clicksMessageType,
          title: 'Clicks',
          summary: `1 to 500 clicks, each a line of JSON. The AMQP type is ${clicksMessageType}. The payload here is one line.`,
          description: `After a line of the same request, a line may be short: without projectId, receivedAtMs and requestId, which it takes from the nearest line before it that has them. A short line without occurredAtMs happened at the time in its id. In messages of the earlier type ${earlierClicksMessageType} no line is short.`,
          contentType: 'application/x-ndjson',
          headers: ref('components/schemas/LedgerStamp'),
          payload: { anyOf: [ref('components/schemas/Click'), ref('components/schemas/ShortClick')] },
        },
      },
      schemas: {
        ...Object.fromEntries(Object.values(schemas).map((schema) => [schema.title, schema])),
        Click,
        ShortClick,
        LedgerStamp: {
          type: 'object',
          description: 'Numbers the messages of a producer, for the balance.',
          properties: {
            producer: { type: 'string', format: 'uuid', description: 'A connection of an ingest.' },
            sequence: { type: 'integer', minimum: 1 },
            clicks: { type: 'integer', minimum: 0, description: 'Clicks in this message.' },
            settled: { type: 'integer', description: 'Earlier messages up to this one were confirmed or refused.' },
            confirmed: { type: 'integer', description: 'Clicks in those of them that were confirmed.' },
          },
          required: ['producer', 'sequence', 'clicks', 'settled', 'confirmed'],
        },
      },
    },
  }
  return JSON.parse(JSON.stringify(document)) as object
}

function eventMessage(name: string, { title, description, examples }: EventSchema): object {
  return {
    ...{ name, title, summary: description, contentType: 'application/json' },
    payload: ref(`components/schemas/${title}`),
    examples: examples.map((payload) => ({ payload })),
  }
}
