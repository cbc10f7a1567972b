import { expect, test } from 'vitest'
import { hasRight, keyRoles, reachesEveryProject, rights } from '../roles.ts'

test('each role has these rights and no others', () => {
  const table = Object.fromEntries(keyRoles.map((role) => [role, rights.filter((right) => hasRight(role, right))]))
  expect(table).toEqual({
    write: ['send'],
    secret: ['send', 'backfill'],
    read: ['read'],
    auditor: ['read', 'audit'],
    owner: ['send', 'backfill', 'read', 'audit', 'manage'],
  })
  expect(keyRoles.filter(reachesEveryProject)).toEqual(['auditor', 'owner'])
})
