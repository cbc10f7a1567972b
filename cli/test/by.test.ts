import { keys } from '@clicktally/api/test/api-under-test.ts'
import { createApiOverClicks } from '@clicktally/api/test/stored-clicks.ts'
import type { Click } from '@clicktally/event/click.ts'
import { createClick } from '@clicktally/processor/test/processor-under-test.ts'
import { expect, test } from 'vitest'
import { bar } from '../reading/bar.ts'
import { runCli } from './cli-under-test.ts'

const hourMs = 3_600_000
/** A few hours ago, when its hour is over. */
const hour = new Date(Math.floor(Date.now() / hourMs - 4) * hourMs)
const iso = (afterHours: number) => new Date(hour.getTime() + afterHours * hourMs).toISOString()
const ofHour = ['--from', iso(0), '--to', iso(1)]
const at = (minute: number, rest: Partial<Click>) =>
  createClick({ occurredAtMs: hour.getTime() + minute * 60_000, ...rest })

/** The command line with a read key, and the service api over these clicks. */
async function createReader() {
  const api = await createApiOverClicks()
  await api.store([
    at(0, { country: 'DE', visitorId: 'ann', target: 'a,b' }),
    at(1, { country: 'DE', visitorId: 'ann' }),
    at(2, { country: 'FR', visitorId: 'bob', props: { plan: '=1+1' } }),
    at(3, { country: 'FR', bot: true }),
    at(4, {}),
    at(-30, { country: 'DE' }),
  ])
  await api.fold()
  await api.pack()
  const url = await api.app.listen({ host: '127.0.0.1', port: 0 })
  const run = (...args: string[]) => runCli(args, { CLICKTALLY_URL: url, CLICKTALLY_KEY: keys.read.text })
  return {
    run,
    async lines(...args: string[]): Promise<string[]> {
      const { code, stdout, stderr } = await run(...args)
      expect([code, stderr]).toEqual([0, ''])
      return stdout.trimEnd().split('\n')
    },
  }
}

test('by prints the values of a dimension with bars, and all lines add up to the total', async () => {
  const { lines } = await createReader()
  const all = await lines('by', 'country', ...ofHour, '--visitors', '--compare')
  expect(all.slice(0, 6)).toEqual([
    'country  clicks   share                        bots  visitors  change',
    'DE            2  50.0 %  ████████████████████     0         1  +100 %',
    '(none)        1  25.0 %  ██████████               0         0     new',
    'FR            1  25.0 %  ██████████               1         1     new',
    '',
    expect.stringMatching(/^4 clicks, /),
  ])
  expect((await lines('by', 'country', ...ofHour, '--limit', '1')).slice(1, 3)).toEqual([
    'DE                     2  50.0 %  ████████████████████     0',
    '(further values)       2  50.0 %                           1',
  ])
  expect((await lines('by', 'country', ...ofHour, '--prefix', 'nothing'))[0]).toBe('There are no such clicks.')
})

test('by prints JSON, and CSV that is safe in a spreadsheet', async () => {
  const { lines } = await createReader()
  const [json = ''] = await lines('by', 'country', ...ofHour, '--json', '--compare')
  expect(JSON.parse(json)).toMatchObject({
    dimension: 'country',
    total: 4,
    values: [
      { value: 'DE', total: 2, share: 0.5, was: 1 },
      { value: '', total: 1, was: 0 },
      { value: 'FR', total: 1, bots: 1, was: 0 },
    ],
  })
  expect(await lines('by', 'props.plan', ...ofHour, '--csv')).toEqual([
    'props.plan,total,bots,share',
    ',3,1,0.75',
    "'=1+1,1,0,0.25",
  ])
})

test('filters choose the clicks of count, series, top and by', async () => {
  const { lines } = await createReader()
  const total = async (command: string[], ...filters: string[]) => {
    const [json = ''] = await lines(...command, ...ofHour, '--json', ...filters.flatMap((each) => ['--filter', each]))
    const { total, points, targets } = JSON.parse(json)
    const parts: { total: number }[] = points ?? targets ?? [{ total }]
    return parts.reduce((sum, part) => sum + part.total, 0)
  }
  for (const command of [['count'], ['series', '--interval', 'hour'], ['top'], ['by', 'browser']]) {
    expect([
      command[0],
      await total(command, 'country:is:DE'),
      await total(command, 'country:not:DE,FR'),
      await total(command, 'country:is:DE', 'target:is:a\\,b'),
    ]).toEqual([command[0], 2, 1, 1])
  }
})

test('an unknown dimension and a wrong filter are refused in a sentence', async () => {
  const { run } = await createReader()
  expect(await run('by', 'colour')).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('There is no dimension "colour". Known are target, country'),
  })
  expect(await run('count', '--filter', 'props.size:is:1')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('The project has to declare the prop as a dimension first.'),
  })
})

test('a bar shows every value above 0', () => {
  expect([0, 0.001, 0.5, 0.55, 1].map((share) => bar(share, 10))).toEqual(['', '▏', '█████', '█████▌', '██████████'])
})
