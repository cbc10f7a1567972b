import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { identify, isAlive, type ProcessIdentity } from '../processes/process-identity.ts'
import { ProcessRegister } from '../processes/process-register.ts'

function newRegisterPath(): string {
  const dir = mkdtempSync(join(tmpdir(), 'clicktally-register-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  return join(dir, 'processes.json')
}

async function newProcess(): Promise<ProcessIdentity> {
  const child = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1000)'], { detached: true })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  const identity = child.pid === undefined ? undefined : identify(child.pid)
  if (!identity) throw new Error('the process did not start')
  return identity
}

test('what a killed launcher left running is stopped by the next one, in reverse order', async () => {
  const path = newRegisterPath()
  const killed = new ProcessRegister(path)
  const [first, second] = [await newProcess(), await newProcess()]
  killed.add('postgres', first, 'SIGTERM')
  killed.add('api', second, 'SIGTERM')

  const lines: string[] = []
  await new ProcessRegister(path).stopLeftovers((line) => lines.push(line))

  expect([first, second].map(isAlive)).toEqual([false, false])
  expect(lines).toEqual([
    expect.stringContaining(`Stopping api (process ${second.pid})`),
    expect.stringContaining(`Stopping postgres (process ${first.pid})`),
  ])
})

test('a process that has only reused an id is left alone', async () => {
  const path = newRegisterPath()
  const stranger = await newProcess()
  new ProcessRegister(path).add('api', { pid: stranger.pid, startedAt: 'before' }, 'SIGKILL')
  await new ProcessRegister(path).stopLeftovers(() => {})
  expect(isAlive(stranger)).toBe(true)
})

test('a process that ended is forgotten', async () => {
  const path = newRegisterPath()
  const register = new ProcessRegister(path)
  const process = await newProcess()
  register.add('api', process, 'SIGTERM')
  register.remove(process)
  await new ProcessRegister(path).stopLeftovers(() => {})
  expect(isAlive(process)).toBe(true)
})
