import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createCliBench, runCli, startCli } from './cli-under-test.ts'

describe('the command line', () => {
  test('shows its help without looking for a system', async () => {
    const { code, stdout } = await runCli(['--help'], {})
    expect(code).toBe(0)
    for (const command of [
      ...['send', 'count', 'series', 'top', 'by', 'live', 'dead', 'balance', 'verify', 'rebuild', 'import'],
      ...['keys', 'projects', 'links', 'webhooks', 'thresholds', 'users', 'audit'],
    ])
      expect(stdout).toMatch(new RegExp(`^  ${command}[ |]`, 'm'))
  })

  test.each([
    ['a command that does not exist', ['counts'], "error: unknown command 'counts'"],
    ['a command that would act on the terminal', ['\u001b[2J\u009b'], "error: unknown command '\ufffd[2J\ufffd'"],
    ['an option that does not exist', ['balance', '--jsn'], "error: unknown option '--jsn'"],
    ['a time that is none', ['verify', '--from', 'yesterday'], 'Expected a time such as 2026-05-17T10:05:03Z'],
    ['a limit that is none', ['dead', 'list', '--limit', '0'], 'Expected a whole number from 1 to 1000000.'],
    ['an id that is none', ['dead', 'show', '1.5'], 'The id of a dead letter is a whole number'],
    ['a time zone that is none', ['count', '--tz', 'Europe/Pari'], 'Expected a name of the IANA time zone database'],
    ['a filter that is none', ['count', '--filter', 'country=DE'], 'such as country:is:DE,AT'],
    [
      'two ranges',
      ['count', '--last', '7d', '--from', '2026-05-17'],
      "'--last <time>' cannot be used with option '--from",
    ],
    ['a prop without a value', ['send', 'button', '--prop', 'plan'], 'Expected name=value.'],
    ['no command', [], 'Usage: clicktally'],
  ])('answers %s with one sentence and exit code 2', async (_, args, sentence) => {
    const { code, stdout, stderr } = await runCli(args, {})
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(sentence)
    expect(stderr).not.toMatch(/\n +at /)
  })

  test('prints its version', async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))
    expect(await runCli(['--version'], {})).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  test('reports in a sentence that the database or the broker is not running', async () => {
    const bench = await createCliBench()
    const database = { ...bench.variables, CLICKTALLY_DATABASE_URL: 'postgres://nobody@127.0.0.1:9/nothing' }
    expect(await runCli(['dead', 'list'], database)).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'The database nothing at 127.0.0.1:9 cannot be reached, or the connection broke: ECONNREFUSED. Is it running?\n',
    })
    await bench.bury({})
    const broker = { ...bench.variables, CLICKTALLY_BROKER_URL: 'amqp://operator:secret@127.0.0.1:9' }
    const { code, stderr } = await runCli(['dead', 'replay', '--all'], broker)
    expect(code).toBe(1)
    expect(stderr).toBe("The broker at 127.0.0.1:9 can't be reached: connect ECONNREFUSED 127.0.0.1:9. Does it run?\n")
  })

  test('reports in a sentence that a password is wrong, without showing it', async () => {
    const bench = await createCliBench()
    const url = new URL(bench.variables.CLICKTALLY_DATABASE_URL ?? '')
    url.password = 'opensesame'
    const { code, stderr } = await runCli(['verify'], { ...bench.variables, CLICKTALLY_DATABASE_URL: url.href })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^The database \w+ at [^ ]+: it rejects the password \(.*\)\.\n$/)
    expect(stderr).not.toContain('opensesame')
  })

  test('has the same exit codes as a process, and never prints a stack trace', async () => {
    expect(await startCli(['--help'], {}).ended).toMatchObject({ code: 0, stderr: '' })
    const wrong = await startCli(['verify'], { CLICKTALLY_DATABASE_URL: 'mysql://db' }).ended
    expect(wrong).toMatchObject({ code: 2, stdout: '' })
    expect(wrong.stderr).toBe(
      'The configuration is invalid:\n  - CLICKTALLY_DATABASE_URL must be a URL like postgres://clicktally_operator@127.0.0.1:5432/clicktally\n',
    )
  })

  test('has a role that can neither change clicks nor delete letters', async () => {
    const bench = await createCliBench()
    const [row] = await bench.ask<{ rights: string }>(
      `select string_agg(table_name || ': ' || rights, ', ' order by table_name) as rights
       from (
         select table_name, string_agg(privilege_type, ' ' order by privilege_type) as rights
         from information_schema.role_table_grants
         where grantee = 'clicktally_operator' and privilege_type <> 'SELECT'
         group by table_name
       ) as granted`,
    )
    const all = 'DELETE INSERT UPDATE'
    expect(row?.rights).toBe(
      `day_counters: ${all}, hour_counters: ${all}, minute_counters: ${all}, month_counters: ${all}, stale_hours: INSERT`,
    )
  })
})
