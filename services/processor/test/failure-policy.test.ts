import { describe, expect, test } from 'vitest'
import { backoffMs, verdictOn } from '../queue/failure-policy.ts'

const postgresError = (code: string, message = 'said the database') =>
  Object.assign(new Error(message), { code, severity: 'ERROR' })

describe('the failure policy', () => {
  test.each([
    ['23514', 'no partition of relation "clicks" found for row', 'partition_missing'],
    ['23514', 'new row violates check constraint', 'refused'],
    ['22P05', 'unsupported Unicode escape sequence', 'refused'],
    ['P0001', 'raised by a trigger', 'refused'],
    ['40P01', 'deadlock detected', 'wait'],
    ['55P03', 'lock timeout', 'wait'],
    ['57014', 'statement timeout', 'wait'],
    ['57P01', 'terminating connection due to administrator command', 'wait'],
    ['57P03', 'the database system is starting up', 'wait'],
    ['28P01', 'password authentication failed', 'wait'],
    ['53100', 'disk full', 'wait'],
    ['42P01', 'relation does not exist', 'wait'],
    ['42501', 'permission denied', 'wait'],
  ])('%s (%s) means %s', (code, message, verdict) => {
    expect(verdictOn(postgresError(code, message))).toBe(verdict)
  })

  test('an error that is not from PostgreSQL is retried', () => {
    expect(verdictOn(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }))).toBe('wait')
    expect(verdictOn(new Error('Query read timeout'))).toBe('wait')
  })

  test('the time between attempts grows up to a limit', () => {
    for (let attempt = 1; attempt < 40; attempt += 1) {
      expect(backoffMs(attempt)).toBeGreaterThan(0)
      expect(backoffMs(attempt)).toBeLessThanOrEqual(2_500)
    }
  })
})
