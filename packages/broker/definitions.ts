import { createHash, randomBytes } from 'node:crypto'
import { brokerUsers } from '@clicktally/system/accounts.ts'
import type { BrokerRights, BrokerUser } from '@clicktally/system/parts.ts'
import { markerPattern } from './connection-marker.ts'
import { keysStreamArguments, keysTopology } from './keys-topology.ts'
import { liveStreamArguments, liveTopology } from './live-topology.ts'
import { exchanges, queueArguments, queues, topology } from './topology.ts'

interface Permissions {
  readonly configure: string
  readonly write: string
  readonly read: string
}

const incoming = anyOf([topology.exchange])
const queueNames = queues.map(({ name }) => name)
const everything = anyOf([...exchanges, ...queueNames])
const liveNames = anyOf([liveTopology.exchange, liveTopology.stream])
const keysNames = anyOf([keysTopology.exchange, keysTopology.stream])

/** What the rights in the table of parts cover at this broker. */
const permissions: Record<BrokerRights, Permissions> = {
  // For a part that is reached from outside: it cannot declare, delete, bind, purge, or consume clicks.
  'publish clicks': { configure: '^$', write: incoming, read: anyOf([keysTopology.stream]) },
  // It declares the stream again if it was deleted.
  'publish keys': { configure: keysNames, write: keysNames, read: anyOf([keysTopology.exchange]) },
  'read live clicks': { configure: '^$', write: '^$', read: anyOf([liveTopology.stream]) },
  // It declares what was deleted (configure, which also allows deleting), binds (write on the queue, read on the exchange),
  // consumes, and marks its connections. It publishes only what it hands back, to the dead-letter exchange, and live clicks.
  'process clicks': {
    configure: `${everything}|${liveNames}|${markerPattern}`,
    write: anyOf([topology.deadExchange, ...queueNames, liveTopology.exchange, liveTopology.stream]),
    read: `${everything}|${anyOf([liveTopology.exchange])}`,
  },
  administer: { configure: '.*', write: '.*', read: '.*' },
}

/**
 * RabbitMQ's definitions file: users with no more rights than they need, exchanges, queues, bindings and policies. Passwords
 * are only in it as salted hashes. The broker imports it at each start: rights and policies replace the existing ones, and
 * everything else that exists is left as it is.
 *
 * With `load_definitions` RabbitMQ creates no default user, so `guest` does not exist.
 *
 * @param passwordOf the password of a user, in plain text.
 */
export function brokerDefinitions(passwordOf: (user: BrokerUser) => string): object {
  return {
    vhosts: [{ name: '/' }],
    exchanges: [
      ...exchanges.map((name) => ({ name, type: 'direct' })),
      { name: keysTopology.exchange, type: 'fanout' },
      { name: liveTopology.exchange, type: 'fanout' },
    ].map((exchange) => ({
      ...{ ...exchange, vhost: '/', durable: true, auto_delete: false, internal: false, arguments: {} },
    })),
    queues: [
      ...queues.map(({ name }) => ({ name, arguments: queueArguments })),
      { name: keysTopology.stream, arguments: keysStreamArguments },
      { name: liveTopology.stream, arguments: liveStreamArguments },
    ].map((queue) => ({ ...queue, vhost: '/', durable: true, auto_delete: false })),
    bindings: [
      ...queues,
      { name: keysTopology.stream, exchange: keysTopology.exchange, routingKey: '' },
      { name: liveTopology.stream, exchange: liveTopology.exchange, routingKey: '' },
    ].map(({ name, exchange, routingKey }) => ({
      ...{ vhost: '/', source: exchange, destination: name, destination_type: 'queue' },
      ...{ routing_key: routingKey, arguments: {} },
    })),
    users: brokerUsers.map(({ user, rights }) => ({
      name: user,
      password_hash: rabbitPasswordHash(passwordOf(user)),
      hashing_algorithm: 'rabbit_password_hashing_sha256',
      tags: rights === 'administer' ? ['administrator'] : [],
    })),
    permissions: brokerUsers.map(({ user, rights }) => ({ user, vhost: '/', ...permissions[rights] })),
    policies: [
      policy('clicks', topology.queue, {
        ...keptUntilMoved,
        'dead-letter-routing-key': topology.suspectKey,
        'max-length': 2_000_000,
        'max-length-bytes': 2_147_483_648,
        // A crash counts for all messages that a processor holds. So messages become suspects after two crashes …
        'delivery-limit': 1,
      }),
      policy('clicks-suspect', topology.suspectQueue, {
        ...keptUntilMoved,
        'dead-letter-routing-key': topology.routingKey,
        // … and dead after six more, of processors that held only this message, which must have caused them. Fewer would do, but a lost
        // connection counts as a crash, and in a cluster whose nodes fail some may follow each other.
        'delivery-limit': 5,
      }),
      // Since RabbitMQ 4 quorum queues have a default limit of 20, after which messages without a dead-letter exchange are
      // dropped. From this queue none may be dropped, after any number of crashes.
      policy('clicks-dead', topology.deadQueue, { 'delivery-limit': 1_000_000_000 }),
    ],
  }
}

const keptUntilMoved = {
  'dead-letter-exchange': topology.deadExchange,
  // No loss between the two queues. Requires reject-publish: without it this silently becomes at-most-once.
  'dead-letter-strategy': 'at-least-once',
  // A full queue refuses new clicks (503). By default it would drop the oldest.
  overflow: 'reject-publish',
}

function policy(name: string, queue: string, definition: Record<string, unknown>): object {
  // Above a host's own policies for all queues: only one policy applies to a queue, and those of Amazon MQ have the priority 1.
  return { vhost: '/', name, pattern: anyOf([queue]), 'apply-to': 'queues', priority: 10, definition }
}

/** A pattern that matches exactly these names. */
function anyOf(names: readonly string[]): string {
  return `^(${names.map((name) => name.replaceAll('.', '\\.')).join('|')})$`
}

/** base64(salt, SHA-256(salt, password)), the salt being 4 bytes: https://www.rabbitmq.com/docs/passwords#computing-password-hash */
function rabbitPasswordHash(password: string): string {
  const salt = randomBytes(4)
  const hash = createHash('sha256').update(salt).update(password, 'utf8').digest()
  return Buffer.concat([salt, hash]).toString('base64')
}
