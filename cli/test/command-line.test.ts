import { describe, expect, test } from 'vitest'
import { createCliBench, runCli, startCli } from './cli-under-test.ts'

describe('the command line', () => {
  test('shows what there is, without looking for a system', async () => {
    const { code, stdout } = await runCli(['--help'], {})
    expect(code).toBe(0)
    for (const command of ['dead', 'balance', 'verify', 'rebuild'])
      expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'))
  })

  test.each([
    ['a command that does not exist', ['count'], "error: unknown command 'count'"],
    ['a command that would act on the terminal', ['\u001b[2J\u009b'], "error: unknown command '\ufffd[2J\ufffd'"],
    ['an option that does not exist', ['balance', '--jsn'], "error: unknown option '--jsn'"],
    ['a time that is none', ['verify', '--from', 'yesterday'], 'Give a time like 2026-05-17T10:05:03Z'],
    ['a limit that is none', ['dead', 'list', '--limit', '0'], 'Give a whole number from 1 to 1000000.'],
    ['an id that is none', ['dead', 'show', '1.5'], 'The id of a dead letter is a whole number'],
    ['no command', [], 'Usage: clicktally'],
  ])('answers %s with one sentence and exit code 2', async (_, args, sentence) => {
    const { code, stdout, stderr } = await runCli(args, {})
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(sentence)
    expect(stderr).not.toMatch(/\n +at /)
  })

  test('says in a sentence that the database or the broker does not run', async () => {
    const bench = await createCliBench()
    const database = { ...bench.variables, CLICKTALLY_DATABASE_URL: 'postgres://nobody@127.0.0.1:9/nothing' }
    expect(await runCli(['dead', 'list'], database)).toEqual({
      code: 1,
      stdout: '',
      stderr:
        "The database nothing at 127.0.0.1:9 can't be reached, or the connection broke: ECONNREFUSED. Does it run?\n",
    })
    await bench.bury({})
    const broker = { ...bench.variables, CLICKTALLY_BROKER_URL: 'amqp://operator:secret@127.0.0.1:9' }
    const { code, stderr } = await runCli(['dead', 'replay', '--all'], broker)
    expect(code).toBe(1)
    expect(stderr).toBe("The broker at 127.0.0.1:9 can't be reached: connect ECONNREFUSED 127.0.0.1:9. Does it run?\n")
  })

  test('says in a sentence that a password is wrong, and does not repeat it', async () => {
    const bench = await createCliBench()
    const url = new URL(bench.variables.CLICKTALLY_DATABASE_URL ?? '')
    url.password = 'opensesame'
    const { code, stderr } = await runCli(['verify'], { ...bench.variables, CLICKTALLY_DATABASE_URL: url.href })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^The database \w+ at [^ ]+: it does not take the password \(.*\)\.\n$/)
    expect(stderr).not.toContain('opensesame')
  })

  test('as a process it ends with the same exit codes, and never with a stack trace', async () => {
    expect(await startCli(['--help'], {}).ended).toMatchObject({ code: 0, stderr: '' })
    const wrong = await startCli(['verify'], { CLICKTALLY_DATABASE_URL: 'mysql://db' }).ended
    expect(wrong).toMatchObject({ code: 2, stdout: '' })
    expect(wrong.stderr).toBe(
      'The configuration is wrong:\n  - CLICKTALLY_DATABASE_URL must be a URL like postgres://clicktally_operator@127.0.0.1:5432/clicktally\n',
    )
  })

  test('its role can neither change clicks nor delete letters', async () => {
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
      `day_counters: ${all}, hour_counters: ${all}, minute_counters: ${all}, month_counters: ${all}`,
    )
  })
})
