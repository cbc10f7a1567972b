import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { CountingServer } from '@clicktally/requests/test/counting-server.ts'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type DemoOptions, runDemo } from '../demo.ts'

const main = fileURLToPath(new URL('../main.ts', import.meta.url))

async function startServer(): Promise<{ server: CountingServer; options: DemoOptions }> {
  const server = new CountingServer()
  server.pageSize = 100
  const url = await server.listen()
  onTestFinished(() => server.close())
  return {
    server,
    options: {
      url,
      key: 'ct_test',
      clicks: 1_500,
      seed: 3,
      stateDir: '/nonexistent',
      once: false,
      countPatienceMs: 1_000,
    },
  }
}

function collector() {
  const lines: string[] = []
  return { lines, line: (text: string) => void lines.push(text) }
}

describe('the demo', () => {
  it('finds equal counts after lost responses, and sends everything a second time', async () => {
    const { server, options } = await startServer()
    server.faults.push({ status: 503 }, 'takeAndDrop')
    const output = collector()
    const result = await runDemo(options, output)
    expect(result).toMatchObject({ equal: true, comparison: { equal: true } })
    expect(result.sendings.map(({ accepted }) => accepted)).toEqual([1_500, 1_500])
    expect(server.clicks.size).toBe(1_500)
    expect(output.lines.join('\n')).toMatch(/All counts are equal: 1,500 clicks on \d+ targets\./)
    expect(Math.max(...output.lines.map((line) => line.length))).toBeLessThanOrEqual(100)
  })

  it('compares only clicks counted since its start', async () => {
    const { server, options } = await startServer()
    expect(await runDemo({ ...options, once: true })).toMatchObject({ equal: true })
    expect(await runDemo({ ...options, once: true })).toMatchObject({ equal: true })
    expect(server.clicks.size).toBe(3_000)
  })

  it('reports a click that was accepted but not counted', async () => {
    const { server, options } = await startServer()
    let lost: string | undefined
    server.lose = ({ id }) => {
      lost ??= id
      return id === lost
    }
    const result = await runDemo(options)
    expect(result).toMatchObject({ equal: false, comparison: { differences: [expect.anything()] } })
    expect(result.sendings).toHaveLength(1)
  })

  it('reports clicks that were counted twice', async () => {
    const { server, options } = await startServer()
    server.countsTwice = true
    const output = collector()
    const result = await runDemo({ ...options, clicks: 10 }, output)
    expect(result.equal).toBe(false)
    expect(result.sendings).toHaveLength(2)
    expect(output.lines.join('\n')).toContain('COUNTS DIFFER')
  })

  it('ignores cached responses from before the second sending', async () => {
    const { server, options } = await startServer()
    server.countsTwice = true
    server.cacheMs = 1_500
    const result = await runDemo({ ...options, clicks: 10, countPatienceMs: 3_000 })
    expect(result.equal).toBe(false)
    expect(result.sendings).toHaveLength(2)
  })

  it('fails when clicks are rejected, and reports the code', async () => {
    const { server, options } = await startServer()
    server.reject = ({ target }) => (target === '/' ? 'too_old' : undefined)
    const output = collector()
    expect(await runDemo(options, output)).toMatchObject({ equal: false })
    expect(output.lines.join('\n')).toMatch(/\d+ REJECTED as too_old/)
  })

  it('stops when its signal is aborted', async () => {
    const { server, options } = await startServer()
    server.faults.push(...Array.from({ length: 99 }, () => ({ status: 503 })))
    const stop = new AbortController()
    const run = runDemo(options, undefined, stop.signal)
    await expect.poll(() => server.batches.length).toBeGreaterThan(0)
    stop.abort()
    await expect(run).rejects.toThrow()
  })
})

describe('the command', () => {
  async function run(...args: string[]) {
    const child = spawn(process.execPath, [main, ...args], {
      env: { ...process.env, CLICKTALLY_KEY: 'ct_test' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let text = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        text += chunk
      })
    }
    const closed = once(child, 'close')
    return { child, ended: closed.then(([code]) => ({ code, text })) }
  }

  it('exits with 0 when all counts are equal', async () => {
    const { options } = await startServer()
    const { ended } = await run('--url', options.url, '--clicks', '20')
    expect(await ended).toMatchObject({
      code: 0,
      text: expect.stringMatching(/All counts are equal\. The dashboard shows them: http:\S+\n$/),
    })
  })

  it('exits with 1 and a message when the log does not exist', async () => {
    const { ended } = await run('--log', '/no/such/file')
    expect(await ended).toEqual({ code: 1, text: "/no/such/file can't be read: there is no such file.\n" })
  })

  it('exits with 130 and without a stack trace on Ctrl-C', async () => {
    const { server, options } = await startServer()
    server.faults.push(...Array.from({ length: 99 }, () => ({ status: 503 })))
    const { child, ended } = await run('--url', options.url)
    await expect.poll(() => server.batches.length).toBeGreaterThan(0)
    child.kill('SIGINT')
    expect(await ended).toMatchObject({ code: 130, text: expect.stringMatching(/Stopped\. .*stay counted\.\n$/) })
  })
})
