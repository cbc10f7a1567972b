import { expect, test } from 'vitest'
import { faultsDocument } from '../document.ts'
import { headerLine, rowLine } from '../fault-table.ts'
import { Findings } from '../findings.ts'
import { createCommand, type Options, writesDocument } from '../options.ts'
import type { Row } from '../stage.ts'

const row: Row = {
  number: 10,
  name: 'a name that is as long as a name may be!',
  times: 50,
  brokenForMs: 6_172_839,
  sent: 400_000,
  accepted: 400_000,
  counted: 400_000,
  duplicates: 12_345,
  dead: 123,
  deadExpected: 123,
  lost: 0,
  unexpected: 0,
  overcounted: 0,
  recovered: 12_345,
  inFlight: 0,
  acceptedAgainMs: 12_345,
  backlogGoneMs: 123_456,
  answers: { '202': 400_000 },
  slowestAnswerMs: 4_321,
  apiAnswers: { counts: { answers: 1_234, wrong: 0 }, balance: { answers: 432, wrong: 0 }, problems: [] },
  problems: [],
}

test('a line of the table fits into 140 characters', () => {
  expect(headerLine().length).toBeLessThanOrEqual(140)
  expect(rowLine(row).length).toBeLessThanOrEqual(140)
  expect(rowLine(row)).toMatch(/50 × 123\.5 s +400,000 400,000 .* 0\/1,666 +12\.3 s 123\.5 s +4\.3 s$/)
})

test('problems of rows and exceeded time limits are reported; a time without a limit is only shown', () => {
  const findings = new Findings()
  findings.rows.push({ ...row, name: 'RabbitMQ: SIGKILL', number: 3, lost: 1, problems: ['1 click is lost'] })
  findings.promise('accepting again', 10_000, 4_000)
  findings.promise('accepting again', 10_000, 10_500)
  findings.promise('for your information', undefined, 99_000)
  expect(findings.problems).toEqual([
    '3 RabbitMQ: SIGKILL: 1 click is lost',
    'accepting again: took 10.5 s, limit 10.0 s',
  ])
  expect(findings.promises[0]).toMatchObject({ worstMs: 10_500, times: 2 })
})

test('the document contains every row, time limit, balance and note', () => {
  const findings = new Findings()
  findings.rows.push(row)
  findings.promise('accepting again', 10_000, 4_000)
  findings.notes.push('Something was not possible here.')
  const balance = { accepted: 7, counted: 5, duplicates: 1, dead: 0, discarded: 0, inFlight: 1, overdue: 0 }
  findings.balances.push({ moment: 'before', balance })
  const text = faultsDocument({
    findings,
    versions: { node: '24.0.0', postgres: '18.0', rabbitmq: '4.0', machine: 'linux x64, 2 cores' },
    heading: 'Faults',
    introduction: 'What happens when something fails.',
    date: new Date('2026-01-02T03:04:05Z'),
    tookMs: 1_800_000,
  })
  expect(text).toMatch(/^# Faults\n\nWhat happens when something fails\.\n\n/)
  expect(text).toContain('2026-01-02, 30 minutes, linux x64, 2 cores')
  expect(text).toContain('400,000 clicks accepted, 0 lost, 0 overcounted;\n1,666 responses')
  expect(text).toContain('| 10 | a name that is as long as a name may be! | 50 × 123.5 s | 400,000 |')
  expect(text).toContain('| 0/1,234 | 0/432 |')
  expect(text).toContain('| accepting again | ≤ 10.0 s | 4.0 s | 1 |')
  expect(text).toContain('| before | 7 | 5 | 1 | 0 | 0 | 1 | 0 |')
  expect(text).toContain('- Something was not possible here.')
})

test('only a complete run writes the document, unless --write is given', () => {
  const parse = (...args: string[]) => {
    const command = createCommand('test', 'A test.', 'docs/test.md')
      .exitOverride()
      .configureOutput({ writeErr: () => {} })
    return command.parse(args, { from: 'user' }).opts<Options>()
  }
  expect(writesDocument(parse())).toBe(true)
  expect(writesDocument(parse('--short'))).toBe(false)
  expect(writesDocument(parse('--only', '3,5'))).toBe(false)
  expect(writesDocument(parse('--only', '3', '--write'))).toBe(true)
  expect(parse('--only', '3,5').only).toEqual([3, 5])
  expect(() => parse('--only', 'three')).toThrow('Expected numbers of scenarios')
})
