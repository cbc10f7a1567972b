import { expect, test } from 'vitest'
import { faultsDocument } from '../document.ts'
import { FaultStage } from '../fault-stage.ts'
import type { FaultSystem } from '../fault-system.ts'
import { headerLine, rowLine } from '../fault-table.ts'
import { Findings } from '../findings.ts'
import { createCommand, isChosen, isComplete, type Options, writesDocument } from '../options.ts'
import { emptyRecord, type Run, withRun } from '../record.ts'
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

const run: Run = {
  startedAt: '2026-01-02T03:04:05.000Z',
  commit: '0123456',
  command: 'npm run test:faults',
  tookMs: 1_800_000,
  versions: { node: '24.0.0', postgres: '18.0', rabbitmq: '4.0', machine: 'linux x64, 2 cores' },
}

/** Findings with these rows. */
function findingsOf(...rows: Row[]): Findings {
  const findings = new Findings()
  for (const row of rows) {
    findings.begin(row.number, row.name)
    findings.current.row = row
  }
  return findings
}

test('a line of the table fits into 140 characters', () => {
  expect(headerLine().length).toBeLessThanOrEqual(140)
  expect(rowLine(row).length).toBeLessThanOrEqual(140)
  expect(rowLine(row)).toMatch(/50 × 123\.5 s +400,000 400,000 .* 0\/1,666 +12\.3 s 123\.5 s +4\.3 s$/)
})

test('problems of rows and exceeded time limits are reported; a time without a limit is only shown', () => {
  const findings = findingsOf({ ...row, name: 'RabbitMQ: SIGKILL', number: 3, lost: 1, problems: ['1 click is lost'] })
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
  const findings = findingsOf(row)
  findings.promise('accepting again', 10_000, 4_000)
  findings.current.notes.push('Something was not possible here.')
  const balance = { accepted: 7, counted: 5, duplicates: 1, dead: 0, discarded: 0, inFlight: 1, overdue: 0 }
  findings.current.balances.push({ moment: 'before', balance })
  const text = faultsDocument({
    heading: 'Faults',
    introduction: 'What happens when something fails.',
    record: withRun(emptyRecord, run, findings.list),
  })
  expect(text).toMatch(/^# Faults\n\nWhat happens when something fails\.\n\n/)
  expect(text).toContain('- 2026-01-02 03:04, 0123456: `npm run test:faults`, 30 minutes, linux x64, 2 cores')
  expect(text).toContain('400,000 clicks accepted, 0 lost, 0 overcounted;\n1,666 responses')
  expect(text).toContain('| 10 | a name that is as long as a name may be! | 50 × 123.5 s | 400,000 |')
  expect(text).toContain('| 0/1,234 | 0/432 |')
  expect(text).toContain('| 4.3 s | 2026-01-02 03:04, 0123456 |')
  expect(text).toContain('| accepting again | ≤ 10.0 s | 4.0 s | 1 |')
  expect(text).toContain('| before | 7 | 5 | 1 | 0 | 0 | 1 | 0 |')
  expect(text).toContain('- Something was not possible here.')
})

test('the rows of a partial run replace those of the same name, and keep the others with the run that they come from', () => {
  const first = findingsOf({ ...row, number: 1, name: 'killed' }, { ...row, number: 2, name: 'cut off', lost: 3 })
  first.promise('accepting again', 10_000, 4_000)
  first.current.failures.push('2 two nodes failed: something was wrong')
  const second = findingsOf({ ...row, number: 2, name: 'cut off' })
  second.promise('accepting again', 10_000, 1_000)
  const later: Run = { ...run, startedAt: '2026-01-03T00:00:00.000Z', commit: '89abcde' }

  const both = withRun(withRun(emptyRecord, run, first.list), later, second.list)
  expect(both.findings.map((finding) => [finding.row?.name, finding.row?.lost, finding.run])).toEqual([
    ['killed', 0, run.startedAt],
    ['cut off', 0, later.startedAt],
  ])
  expect(both.runs).toEqual([run, later])
  const { problems, promises } = new Findings(both.findings)
  expect(problems).toEqual([])
  expect(promises).toEqual([{ name: 'accepting again', limitMs: 10_000, worstMs: 1_000, times: 1 }])

  // No row comes from the older runs any more.
  const all = findingsOf({ ...row, number: 1, name: 'killed' }, { ...row, number: 2, name: 'cut off' })
  const latest: Run = { ...later, startedAt: '2026-01-04T00:00:00.000Z' }
  expect(withRun(both, latest, all.list).runs).toEqual([latest])
})

test('a failure before the first row is kept until its scenario has run without one', () => {
  const failed = new Findings()
  failed.begin(1, '')
  failed.current.failures.push('1 killed failed: no disk')
  const before = withRun(emptyRecord, run, failed.list)
  expect(new Findings(before.findings).problems).toEqual(['1 killed failed: no disk'])
  const mended = new Findings()
  mended.begin(1, '')
  expect(withRun(before, { ...run, startedAt: '2026-01-03T00:00:00.000Z' }, mended.list)).toEqual(emptyRecord)
})

test('rows that are not chosen are skipped', async () => {
  const stage = new FaultStage({
    system: {} as FaultSystem,
    short: true,
    findings: new Findings(),
    rows: ['leader SILENT', 'cut off'],
    onRow: () => {},
  })
  const fault = () => Promise.reject(new Error('was run'))
  expect(await stage.row('follower silent', fault)).toBeUndefined()
  expect(isChosen('leader silent', ['leader SILENT', 'cut off'])).toBe(true)
  expect(isChosen('follower silent', undefined)).toBe(true)
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
  expect(writesDocument(parse('--row', 'SIGKILL'))).toBe(false)
  expect(isComplete(parse('--only', '3', '--write'))).toBe(false)
  expect(parse('--only', '0,3,5').only).toEqual([0, 3, 5])
  expect(parse('--row', 'leader silent', 'killed', '--short').row).toEqual(['leader silent', 'killed'])
  expect(() => parse('--only', 'three')).toThrow('Expected numbers of scenarios')
})
