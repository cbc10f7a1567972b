import { createHash } from 'node:crypto'
import { brokerUsers } from '@clicktally/system/accounts.ts'
import { describe, expect, test } from 'vitest'
import { brokerDefinitions } from '../definitions.ts'
import { topology } from '../topology.ts'

interface Definitions {
  users: { name: string; password_hash: string; hashing_algorithm: string; tags: string[] }[]
  permissions: { user: string; configure: string; write: string; read: string }[]
  policies: { name: string; pattern: string; definition: Record<string, unknown> }[]
}

const restricted = brokerUsers.filter(({ rights }) => rights !== 'administer').map(({ user }) => user)
const definitions = () => brokerDefinitions((user) => `${user}-secret`) as Definitions

describe("the broker's definitions", () => {
  test('contain no passwords, only salted hashes that RabbitMQ accepts', () => {
    const { users } = definitions()
    expect(JSON.stringify(definitions())).not.toContain('secret')
    expect(users.map(({ name }) => name)).toEqual(brokerUsers.map(({ user }) => user))
    for (const { name, password_hash, hashing_algorithm } of users) {
      const bytes = Buffer.from(password_hash, 'base64')
      const expected = createHash('sha256').update(bytes.subarray(0, 4)).update(`${name}-secret`).digest()
      expect(bytes.subarray(4)).toEqual(expected)
      expect(hashing_algorithm).toBe('rabbit_password_hashing_sha256')
    }
  })

  test('have a new salt for each user and each time', () => {
    const hashes = [definitions(), definitions()].flatMap(({ users }) => users.map((user) => user.password_hash))
    expect(new Set(hashes).size).toBe(2 * brokerUsers.length)
  })

  test('make only the operator an administrator', () => {
    expect(definitions().users.filter(({ tags }) => tags.length > 0)).toMatchObject([
      { name: 'operator', tags: ['administrator'] },
    ])
  })

  test.each(restricted)('give %s no permission on other queues and exchanges', (user) => {
    const rights = definitions().permissions.find((each) => each.user === user)
    for (const name of [
      'other',
      'clicks.other',
      'keysx',
      'keys.other',
      'my.clicks',
      'clicksx',
      'clicksXincoming',
      'amq.default',
      'amq.direct',
    ]) {
      for (const right of ['configure', 'write', 'read'] as const) {
        expect(new RegExp(rights?.[right] ?? '').test(name), `${right} ${name}`).toBe(false)
      }
    }
  })

  test('make a full queue refuse messages instead of dropping them', () => {
    const policy = definitions().policies.find(({ name }) => name === 'clicks')
    expect(new RegExp(policy?.pattern ?? '^$').test(topology.queue)).toBe(true)
    expect(new RegExp(policy?.pattern ?? '^$').test(topology.deadQueue)).toBe(false)
    expect(policy?.definition).toMatchObject({
      overflow: 'reject-publish',
      'dead-letter-exchange': topology.deadExchange,
      'dead-letter-strategy': 'at-least-once',
      'max-length': expect.any(Number),
      'max-length-bytes': expect.any(Number),
      'delivery-limit': expect.any(Number),
    })
  })

  test('move messages that crash processors to the suspects, and from there to the dead letters', () => {
    const definitionFor = (queue: string) => {
      const fitting = definitions().policies.filter(({ pattern }) => new RegExp(pattern).test(queue))
      expect(fitting).toHaveLength(1)
      return fitting[0]?.definition
    }
    const moved = { overflow: 'reject-publish', 'dead-letter-strategy': 'at-least-once' }
    expect(definitionFor(topology.queue)).toMatchObject({ ...moved, 'dead-letter-routing-key': topology.suspectKey })
    expect(definitionFor(topology.suspectQueue)).toMatchObject({
      ...moved,
      'dead-letter-routing-key': topology.routingKey,
    })
    // It has no dead-letter exchange.
    expect(definitionFor(topology.deadQueue)).toEqual({ 'delivery-limit': 1_000_000_000 })
  })
})
