import { createHash, randomBytes } from 'node:crypto'
import { markerPattern } from './connection-marker.ts'
import { exchanges, queueArguments, queues, topology } from './topology.ts'

/** The passwords of the three users at the broker, in plain text. */
export interface BrokerPasswords {
  readonly ingest: string
  readonly processor: string
  readonly operator: string
}

/**
 * RabbitMQ's definitions file: users with no more rights than they need, exchanges, queues, bindings, and the policies. Holds
 * only salted hashes. Imported at each start of the broker: rights and policies replace those that are there, and what else
 * exists is left as it is.
 *
 * With `load_definitions` RabbitMQ makes no default user, so `guest` does not exist.
 */
export function brokerDefinitions(passwords: BrokerPasswords): object {
  const incoming = anyOf([topology.exchange])
  const queueNames = queues.map(({ name }) => name)
  const everything = [...exchanges, ...queueNames]
  return {
    vhosts: [{ name: '/' }],
    exchanges: exchanges.map((name) => ({
      ...{ vhost: '/', name, type: 'direct', durable: true, auto_delete: false, internal: false, arguments: {} },
    })),
    queues: queues.map(({ name }) => ({
      ...{ vhost: '/', name, durable: true, auto_delete: false, arguments: queueArguments },
    })),
    bindings: queues.map(({ name, exchange, routingKey }) => ({
      ...{ vhost: '/', source: exchange, destination: name, destination_type: 'queue' },
      ...{ routing_key: routingKey, arguments: {} },
    })),
    users: [
      user('ingest', passwords.ingest, []),
      user('processor', passwords.processor, []),
      user('operator', passwords.operator, ['administrator']),
    ],
    permissions: [
      // The only one that is reached from outside: it publishes clicks, and can't declare, delete, bind, consume or purge.
      permission('ingest', '^$', incoming, '^$'),
      // It declares what was deleted (configure, which also allows to delete) and binds (write on the queue, read on the
      // exchange), consumes, and marks its connections. It publishes what it hands back, to no exchange but that of dead letters.
      permission(
        'processor',
        `${anyOf(everything)}|${markerPattern}`,
        anyOf([topology.deadExchange, ...queueNames]),
        anyOf(everything),
      ),
      permission('operator', '.*', '.*', '.*'),
    ],
    policies: [
      policy('clicks', topology.queue, {
        ...keptUntilMoved,
        'dead-letter-routing-key': topology.suspectKey,
        'max-length': 2_000_000,
        'max-length-bytes': 2_147_483_648,
        // The broker counts it against all that a dying processor holds. Hence two deaths are enough to be taken one by one …
        'delivery-limit': 1,
      }),
      policy('clicks-suspect', topology.suspectQueue, {
        ...keptUntilMoved,
        'dead-letter-routing-key': topology.routingKey,
        // … and what three more processors die of, each holding nothing but it, is taken to kill them.
        'delivery-limit': 2,
      }),
      // From RabbitMQ 4 on every quorum queue has a limit of 20, past which a message without a dead-letter exchange is
      // dropped. This one has nowhere to go: no number of crashes may drop it.
      policy('clicks-dead', topology.deadQueue, { 'delivery-limit': 1_000_000_000 }),
    ],
  }
}

const keptUntilMoved = {
  'dead-letter-exchange': topology.deadExchange,
  // Not lost between the two queues; needs reject-publish, else it degrades to at-most-once without a word.
  'dead-letter-strategy': 'at-least-once',
  // A full queue refuses a click (503) instead of dropping the oldest one, which is the default.
  overflow: 'reject-publish',
}

function policy(name: string, queue: string, definition: Record<string, unknown>): object {
  return { vhost: '/', name, pattern: anyOf([queue]), 'apply-to': 'queues', priority: 1, definition }
}

/** A pattern for these names and no other. */
function anyOf(names: readonly string[]): string {
  return `^(${names.map((name) => name.replaceAll('.', '\\.')).join('|')})$`
}

function user(name: string, password: string, tags: string[]): object {
  return {
    name,
    password_hash: rabbitPasswordHash(password),
    hashing_algorithm: 'rabbit_password_hashing_sha256',
    tags,
  }
}

function permission(name: string, configure: string, write: string, read: string): object {
  return { user: name, vhost: '/', configure, write, read }
}

/** base64(salt, SHA-256(salt, password)), the salt being 4 bytes: https://www.rabbitmq.com/docs/passwords#computing-password-hash */
function rabbitPasswordHash(password: string): string {
  const salt = randomBytes(4)
  const hash = createHash('sha256').update(salt).update(password, 'utf8').digest()
  return Buffer.concat([salt, hash]).toString('base64')
}
