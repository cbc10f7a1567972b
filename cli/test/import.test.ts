import { spawn } from 'node:child_process'
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { CountingServer } from '@clicktally/requests/test/counting-server.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'

import { type Ended, runCli, startCli } from './cli-under-test.ts'

const main = join(import.meta.dirname, '..', 'main.ts')
let folder: string
let files = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clicktally-import-'))
})

afterAll(() => rm(folder, { recursive: true }))

interface Bench {
  readonly server: CountingServer
  readonly variables: Record<string, string | undefined>
  readonly stateDir: string
  start(...args: string[]): ReturnType<typeof startCli>
  run(...args: string[]): Promise<Ended>
  checkpoints(): Promise<string[]>
}

async function createBench(): Promise<Bench> {
  const server = new CountingServer()
  const url = await server.listen()
  onTestFinished(() => server.close())
  const stateDir = await mkdtemp(join(folder, 'state-'))
  const variables = { PATH: process.env.PATH, XDG_STATE_HOME: stateDir, CLICKTALLY_URL: url, CLICKTALLY_KEY: 'ct_test' }
  const start = (...args: string[]) => startCli(['import', ...args], variables)
  return {
    server,
    variables,
    stateDir,
    start,
    run: (...args) => runCli(['import', ...args], variables),
    checkpoints: () => readdir(join(stateDir, 'clicktally', 'imports')).catch(() => []),
  }
}

function logLines(count: number, first = 0): string {
  return Array.from({ length: count }, (_, place) => {
    const n = first + place
    const time = new Date(Date.UTC(2015, 4, 1) + n * 60_000).toISOString()
    const [year, , day] = time.slice(0, 10).split('-')
    const agent = n % 10 === 0 ? 'Googlebot/2.1' : 'Mozilla/5.0 (X11; Linux x86_64) Firefox/138.0'
    return `192.0.2.${n % 99} - - [${day}/May/${year}:${time.slice(11, 19)} +0000] "GET /${n % 7} HTTP/1.1" 200 5 "-" "${agent}"\n`
  }).join('')
}

async function fileWith(content: string | Buffer, name = 'file'): Promise<string> {
  const path = join(folder, `${files++}-${name}`)
  await writeFile(path, content)
  return path
}

const event = (target: string, time = '2015-05-17T10:00:00Z') => JSON.stringify({ target, occurredAt: time })

describe('import', () => {
  test('sends every line once in each format, and reports the result', async () => {
    const bench = await createBench()
    const log = await fileWith(gzipSync(logLines(1_200)))
    const csv = await fileWith('target,occurredAt\na,2016-01-01T00:00:00Z\nb,2016-01-03T00:00:00Z\n')
    const ndjson = await fileWith(`${event('c')}\n${event('d')}\n`)
    const { code, stdout, stderr } = await bench.run(log, csv, ndjson)
    // How far it is it says every two seconds, if it takes that long.
    expect({ code, stderr: stderr.replaceAll(/^Importing .*\n/gm, '') }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/1,204 clicks accepted, 0 lines rejected/)
    expect(stdout).toMatch(/4 days from 2015-05-01 to 2016-01-03/)
    expect(bench.server.clicks.size).toBe(1_204)
    expect([...bench.server.clicks.values()].filter(({ bot }) => bot)).toHaveLength(120)
    expect(await bench.checkpoints()).toEqual([])
  })

  test('sends the same ids when repeated, under another name, or when the file has grown', async () => {
    const bench = await createBench()
    await bench.run(await fileWith(logLines(700)))
    await bench.run(await fileWith(gzipSync(logLines(700)), 'another.gz'))
    expect(bench.server.clicks.size).toBe(700)
    await bench.run(await fileWith(logLines(1_000)))
    expect(bench.server.clicks.size).toBe(1_000)
  })

  test('reads standard input, plain or gzip', async () => {
    const bench = await createBench()
    for (const content of [logLines(600), gzipSync(logLines(600))]) {
      const child = spawn(process.execPath, [main, 'import', '-'], { env: bench.variables, stdio: 'pipe' })
      onTestFinished(() => void child.kill('SIGKILL'))
      child.stdin.end(content)
      expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0)
      expect(bench.server.clicks.size).toBe(600)
    }
  })

  test('does not count the last line of a CSV file while it may be cut, and counts that of standard input', async () => {
    const bench = await createBench()
    const rows = 'occurredAt,target\n2016-01-01T00:00:00Z,a\n2016-01-02T00:00:00Z,sig'
    const csv = await fileWith(rows)
    const cut = await bench.run(csv)
    expect(cut).toMatchObject({ code: 1, stdout: expect.stringContaining('1 × line_incomplete') })
    await appendFile(csv, 'nup\n')
    expect((await bench.run(csv)).code).toBe(0)
    const targets = () => [...bench.server.clicks.values()].map(({ target }) => target)
    expect(targets()).toEqual(['a', 'signup'])
    const child = spawn(process.execPath, [main, 'import', '-'], { env: bench.variables, stdio: 'pipe' })
    onTestFinished(() => void child.kill('SIGKILL'))
    child.stdin.end(`${rows}nal`)
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0)
    expect(targets()).toEqual(['a', 'signup', 'signal'])
  })

  test('sends a batch again until it is answered', async () => {
    const bench = await createBench()
    bench.server.faults.push({ status: 503 }, 'drop', 'takeAndDrop', { status: 429 })
    const { code, stdout, stderr } = await bench.run(await fileWith(logLines(2_000)))
    expect({ code, size: bench.server.clicks.size }).toEqual({ code: 0, size: 2_000 })
    expect(stdout).toMatch(/2,000 clicks accepted/)
    expect(stderr).toMatch(/sent again: /)
  })

  test('waits until everything is counted', async () => {
    const bench = await createBench()
    const { code, stdout } = await bench.run('--wait', await fileWith(event('a')))
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/Counted +everything/) })
  })
})

describe('a rejected line', () => {
  test('is reported with its reason and number and written to a file, with exit code 1; the others are imported', async () => {
    const bench = await createBench()
    bench.server.reject = ({ target }) => (target === 'bad' ? 'too_old_for_backfill' : undefined)
    const lines = Array.from({ length: 1_500 }, (_, n) => (n % 500 === 7 ? event('bad') : n === 9 ? '{"' : event('a')))
    const file = await fileWith(lines.join('\n'))
    const rejects = join(folder, 'rejects')
    const { code, stdout } = await bench.run(file, '--rejects', rejects)
    expect(code).toBe(1)
    expect(stdout).toMatch(/1,496 clicks accepted, 4 lines rejected/)
    expect(stdout).toMatch(/3 × too_old_for_backfill.*\n +1 × not_json/)
    expect(stdout).toMatch(/line 8: too_old_for_backfill: \{"target":"bad"/)
    expect(bench.server.clicks.size).toBe(1_496)
    const kept = (await readFile(rejects, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(kept.map(({ line, code }) => [line, code])).toEqual([
      [8, 'too_old_for_backfill'],
      [10, 'not_json'],
      [508, 'too_old_for_backfill'],
      [1_008, 'too_old_for_backfill'],
    ])
    expect(kept[1]).toMatchObject({ file, text: '{"', detail: expect.any(String) })
  })

  test.each<[string, (file: string) => string[], number, RegExp]>([
    ['a file that is not there', () => ['nowhere'], 1, /nowhere can't be read: there is no such file/],
    ['a folder', () => [folder], 1, /it is a folder|is not an ordinary file/],
    ['a file of no known format', (file) => [file], 2, /its format cannot be detected.*--format ndjson\|csv\|log/],
    ['a CSV file with an unknown column', (file) => ['--format', 'csv', file], 1, /there is no field "hello"/],
    ['the same file twice', (file) => [file, file], 2, /is given twice/],
    ['a rejects file that is the input', (file) => ['--rejects', file, file], 2, /would overwrite/],
    ['no address', (file) => ['--url', 'ftp://x', file], 2, /--url ftp:\/\/x/],
    ['an address where nobody is', (file) => ['--url', 'http://127.0.0.1:9', file], 1, /does not answer/],
  ])('%s', async (_name, args, code, message) => {
    const bench = await createBench()
    const ended = await bench.run(...args(await fileWith('hello\n')))
    expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code, stderr: expect.stringMatching(message) })
    expect(bench.server.clicks.size).toBe(0)
  })
})

describe('an interrupted import', () => {
  /** How many lines are behind the checkpoint; 0 where there is none. */
  async function checkpointLines(bench: Bench): Promise<number> {
    const name = (await bench.checkpoints()).find((file) => file.endsWith('.json'))
    if (name === undefined) return 0
    const text = await readFile(join(bench.stateDir, 'clicktally', 'imports', name), 'utf8').catch(() => '')
    return text === '' ? 0 : JSON.parse(text).files[0].position.lines
  }

  /**
   * Ends an import in its middle: the server takes four more of its batches, and no other one until it has ended. Returns at
   * which line it began, where it went on.
   */
  async function interrupt(bench: Bench, signal: NodeJS.Signals, args: string[]) {
    const before = await checkpointLines(bench)
    bench.server.takeOnly(4)
    const { process: child, ended } = bench.start(...args)
    // Saved as soon as the first of the batches is answered.
    await vi.waitFor(async () => expect(await checkpointLines(bench)).toBeGreaterThan(before), patience)
    child.kill(signal)
    const { stderr } = await ended
    bench.server.takeOnly(Number.POSITIVE_INFINITY)
    return lineOf(stderr)
  }

  function lineOf(stderr: string): number | undefined {
    const [, line] = /Continues at line ([\d,]+)/.exec(stderr) ?? []
    return line === undefined ? undefined : Number(line.replaceAll(',', ''))
  }

  test.each([
    ['plain', 'SIGKILL', (text: string) => text],
    ['gzip', 'SIGKILL', gzipSync],
    ['plain', 'SIGINT', (text: string) => text],
  ] as const)('goes on where it stopped: %s, %s', async (_name, signal, pack) => {
    const bench = await createBench()
    bench.server.reject = ({ target }) => (target === '/3' ? 'because' : undefined)
    const lines = 8_000
    const file = await fileWith(pack(logLines(lines)))
    const rejects = `${file}.rejects`
    const args = [file, '--rejects', rejects]
    expect(await interrupt(bench, signal, args)).toBeUndefined()
    const first = await checkpointLines(bench)
    expect(await interrupt(bench, signal, args)).toBe(first + 1)
    const second = await checkpointLines(bench)
    expect(second).toBeGreaterThan(first)
    const end = await bench.run(...args)
    expect(lineOf(end.stderr)).toBe(second + 1)
    const rejected = Array.from({ length: lines }, (_, n) => n % 7).filter((n) => n === 3).length
    expect(end.stdout).toContain(`${(lines - rejected).toLocaleString('en-US')} clicks accepted`)
    expect(bench.server.clicks.size).toBe(lines - rejected)
    const kept = (await readFile(rejects, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).line)
    expect(kept).toEqual(Array.from({ length: rejected }, (_, n) => n * 7 + 4))
    expect(await bench.checkpoints()).toEqual([])
  })

  test('by Ctrl-C reports it and exits with 130', async () => {
    const bench = await createBench()
    bench.server.faults.push(...Array.from({ length: 999 }, () => ({ status: 503 })))
    const { process: child, ended } = bench.start(await fileWith(logLines(100)))
    await vi.waitFor(() => expect(bench.server.batches.length).toBeGreaterThan(0), patience)
    child.kill('SIGINT')
    expect((await ended).code).toBe(130)
  })

  /** A checkpoint in the middle of the file. */
  async function interruptOnce(bench: Bench, file: string): Promise<void> {
    await interrupt(bench, 'SIGINT', [file])
    expect(await bench.checkpoints()).toHaveLength(1)
  }

  test('continues to the end of a file that has grown meanwhile', async () => {
    const bench = await createBench()
    const file = await fileWith(logLines(20_000))
    await interruptOnce(bench, file)
    await appendFile(file, logLines(1_000, 20_000))
    const { stderr, code } = await bench.run(file)
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/Continues at line/) })
    expect(bench.server.clicks.size).toBe(21_000)
  })

  test('starts over if told to or if the file has changed, and reports it', async () => {
    const bench = await createBench()
    const file = await fileWith(logLines(20_000))
    await interruptOnce(bench, file)
    const restarted = await bench.run(file, '--restart')
    expect(restarted).toMatchObject({ code: 0, stderr: expect.not.stringMatching(/Goes on/) })
    expect(restarted.stdout).toContain('20,000 clicks accepted')
    bench.server.batches.length = 0
    await interruptOnce(bench, file)
    await writeFile(file, logLines(19_000))
    const smaller = await bench.run(file)
    expect(smaller).toMatchObject({ code: 0, stderr: expect.stringMatching(/has changed.*starts over/) })
    expect(smaller.stdout).toContain('19,000 clicks accepted')
    expect(bench.server.clicks.size).toBe(20_000)
  })

  test('does not continue at another server', async () => {
    const bench = await createBench()
    const file = await fileWith(logLines(20_000))
    await interruptOnce(bench, file)
    const another = new CountingServer()
    const url = await another.listen()
    onTestFinished(() => another.close())
    expect(await bench.run(file, '--url', url)).toMatchObject({ code: 0 })
    expect(another.clicks.size).toBe(20_000)
  })

  test('does not continue with the key of another project, and continues with its own', async () => {
    const bench = await createBench()
    const file = await fileWith(logLines(8_000))
    await interruptOnce(bench, file)
    const another = await runCli(['import', file], { ...bench.variables, CLICKTALLY_KEY: 'ct_another' })
    expect(another).toMatchObject({ code: 0, stdout: expect.stringContaining('8,000 clicks accepted') })
    expect(lineOf(another.stderr)).toBeUndefined()
    expect(await bench.checkpoints()).toHaveLength(1)
    const { code, stderr } = await bench.run(file)
    expect({ code, line: lineOf(stderr) }).toEqual({ code: 0, line: expect.any(Number) })
    expect(await bench.checkpoints()).toEqual([])
  })
})
