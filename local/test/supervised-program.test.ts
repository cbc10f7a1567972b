import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { freePort } from '../ports.ts'
import { Problem } from '../problem.ts'
import { identify } from '../processes/process-identity.ts'
import { type Program, SupervisedProgram } from '../processes/supervised-program.ts'

/** A limit for a hang: the default, one second, is too short on a busy machine. */
const patience = { timeout: 300_000, interval: 10 }

/** A program that answers on its port and ends on SIGTERM. */
const server = `require('node:http').createServer((_, answer) => answer.end()).listen(process.env.PORT, '127.0.0.1')`

async function newProgram(script: string, changes: Partial<Program> = {}, onLine: (line: string) => void = () => {}) {
  const dir = mkdtempSync(join(tmpdir(), 'clicktally-supervised-'))
  const port = await freePort()
  const lines: string[] = []
  const program = new SupervisedProgram(
    {
      name: 'example',
      command: process.execPath,
      args: ['-e', script],
      env: { PORT: String(port) },
      cwd: dir,
      logPath: join(dir, 'example.log'),
      stopSignal: 'SIGTERM',
      stopWithinMs: 120_000,
      readyWithinMs: 120_000,
      isReady: async () => (await fetch(`http://127.0.0.1:${port}`)).ok,
      ...changes,
    },
    {
      onLine: (line) => {
        lines.push(line)
        onLine(line)
      },
    },
  )
  onTestFinished(async () => {
    await program.stop()
    rmSync(dir, { recursive: true })
  })
  return { program, lines, port, logPath: join(dir, 'example.log') }
}

async function crashAndRecover(program: SupervisedProgram): Promise<void> {
  const { pid, restarts } = program
  program.kill()
  await vi.waitFor(() => expect(program.restarts).toBe(restarts + 1), patience)
  expect(await program.ready(patience.timeout)).toBe(true)
  expect(program.pid).not.toBe(pid)
}

test('a program runs until it is stopped, and can be started again', async () => {
  const { program, lines } = await newProgram(server)
  await program.start()
  const pid = program.pid ?? 0
  expect(identify(pid)).toBeDefined()
  await program.stop()
  expect(identify(pid)).toBeUndefined()
  expect(lines).toEqual([])
  await program.start()
  expect(program.state).toBe('running')
})

test('a program that dies is restarted on the same port, each time after a longer wait', async () => {
  const { program, lines, port } = await newProgram(server)
  await program.start()
  await crashAndRecover(program)
  await crashAndRecover(program)
  expect((await fetch(`http://127.0.0.1:${port}`)).ok).toBe(true)
  expect(lines).toEqual([
    'example was killed by SIGKILL; it is started again in 0.2 s',
    'example is ready again',
    'example was killed by SIGKILL; it is started again in 0.4 s',
    'example is ready again',
  ])
})

test('the longest wait before a restart can be set', async () => {
  const { program, lines } = await newProgram(server, { longestWaitMs: 200 })
  await program.start()
  await crashAndRecover(program)
  await crashAndRecover(program)
  expect(lines.filter((line) => line.includes('started again in 0.2 s'))).toHaveLength(2)
})

test('a program that dies before it was ever ready is not restarted, and the end of its log is shown', async () => {
  const { program, lines } = await newProgram(`console.error('PORT is missing'); process.exit(3)`)
  const start = program.start()
  await expect(start).rejects.toThrow(Problem)
  await expect(start).rejects.toThrow(/example ended with code 3 before it was ready.*PORT is missing/s)
  expect(program.state).toBe('stopped')
  expect(lines).toEqual([])
})

test('a program that does not exist is a problem', async () => {
  const { program } = await newProgram('', { command: '/nowhere/example' })
  await expect(program.start()).rejects.toThrow(/could not be started/)
})

test('a program that is not ready in time is stopped', async () => {
  const { program } = await newProgram('setInterval(() => {}, 1000)', { readyWithinMs: 300 })
  await expect(program.start()).rejects.toThrow(/was not ready after 0.3 s/)
  expect(program.pid).toBeUndefined()
})

test('an aborted start leaves nothing running', async () => {
  const { program } = await newProgram('setInterval(() => {}, 1000)')
  const abort = new AbortController()
  const start = program.start(abort.signal)
  abort.abort(new Error('stopped'))
  await expect(start).rejects.toThrow('stopped')
  expect(program.pid).toBeUndefined()
})

test('a program that ignores the stop signal is killed with its children', async () => {
  const stubborn = `
    process.on('SIGTERM', () => {})
    const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    console.log(child.pid)
    ${server}`
  const { program, lines, logPath } = await newProgram(stubborn, { stopWithinMs: 300 })
  await program.start()
  const childPid = Number(readFileSync(logPath, 'utf8'))
  expect(identify(childPid)).toBeDefined()
  await program.stop()
  await vi.waitFor(() => expect(identify(childPid)).toBeUndefined(), patience)
  expect(lines).toEqual(['example did not stop in 0.3 s and is killed'])
})

test('a program that is stopped while it waits for a restart stays down', async () => {
  const saysThatItWaits = Promise.withResolvers<void>()
  const { program } = await newProgram(server, {}, (line) => {
    // Stopped in the callback, because the wait may be over before a polling test sees the line.
    if (line.includes('started again')) saysThatItWaits.resolve(Promise.resolve().then(() => program.stop()))
  })
  await program.start()
  program.kill()
  await saysThatItWaits.promise
  expect(program.state).toBe('stopped')
  // Twice as long as the wait.
  await new Promise((resolve) => setTimeout(resolve, 400))
  expect([program.state, program.pid, program.restarts]).toEqual(['stopped', undefined, 1])
})

test('a program that fails a health check is killed and restarted', async () => {
  let reason: string | undefined
  const check = { everyMs: 10, failure: async () => reason }
  const unknown = { everyMs: 10, failure: () => Promise.reject(new Error('not known')) }
  const { program, lines } = await newProgram(server, { healthChecks: [unknown, check] })
  await program.start()
  const { pid } = program
  reason = 'it is ill'
  await vi.waitFor(() => expect(program.restarts).toBeGreaterThan(0), { timeout: 300_000 })
  reason = undefined
  expect(await program.ready(patience.timeout)).toBe(true)
  expect(program.pid).not.toBe(pid)
  expect(lines[0]).toBe('example was killed because it is ill; it is started again in 0.2 s')
})

test('a restart that is not possible is tried again until it is, and reported once', async () => {
  let attempts = 0
  let isHindered = false
  const beforeStart = () => {
    if (!isHindered) return
    attempts += 1
    throw new Problem('there is no room')
  }
  const { program, lines } = await newProgram(server, { beforeStart, longestWaitMs: 200 })
  await program.start()
  isHindered = true
  program.kill()
  await vi.waitFor(() => expect(attempts).toBeGreaterThan(2), patience)
  isHindered = false
  expect(await program.ready(patience.timeout)).toBe(true)
  expect(lines.filter((line) => line.includes('there is no room'))).toHaveLength(1)
})

test('a program that cannot start the first time fails to start, and leaves nothing behind', async () => {
  const beforeStart = () => {
    throw new Problem('there is no room')
  }
  const { program } = await newProgram(server, { beforeStart })
  await expect(program.start()).rejects.toThrow('there is no room')
  expect(program.pid).toBeUndefined()
})
