import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { familyOf } from '@clicktally/processes/process-family.ts'
import { expect, onTestFinished, test } from 'vitest'
import { cpuSeconds } from '../process-cpu.ts'

const busyForOneSecond =
  'const used = () => { const { user, system } = process.cpuUsage(); return user + system }; const end = used() + 1e6; while (used() < end);'

function start(program: string) {
  const child = spawn(process.execPath, ['--eval', program], { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  return { child, pid: child.pid ?? 0 }
}

test.runIf(process.platform === 'linux')(
  'the CPU time of a process that is busy for a second is a second',
  async () => {
    const { child, pid } = start(`${busyForOneSecond} console.log('done'); setInterval(() => {}, 1_000)`)
    await once(child.stdout, 'data')
    const seconds = cpuSeconds([pid])
    expect(seconds).toBeGreaterThan(0.9)
    expect(seconds).toBeLessThan(3)
  },
)

test.runIf(process.platform === 'linux')('what its children took is in it, before and after they end', async () => {
  const grandchild = JSON.stringify(
    `${busyForOneSecond} console.log('done'); process.stdin.once('data', () => process.exit())`,
  )
  const { child, pid } = start(`
    const { spawn } = require('node:child_process')
    const busy = spawn(process.execPath, ['--eval', ${grandchild}])
    busy.stdout.once('data', () => console.log('busy ' + busy.pid))
    process.stdin.once('data', () => busy.stdin.end('end'))
    busy.once('exit', () => console.log('ended'))
    setInterval(() => {}, 1_000)`)
  await once(child.stdout, 'data')
  const running = cpuSeconds([pid])
  expect(familyOf([pid])).toHaveLength(2)
  child.stdin.write('end')
  await once(child.stdout, 'data')
  const ended = cpuSeconds([pid])
  expect(familyOf([pid])).toHaveLength(1)
  expect(running).toBeGreaterThan(0.9)
  expect(ended).toBeGreaterThanOrEqual(running)
})

test('of what is no process nothing is known', () => {
  expect(cpuSeconds([2 ** 30])).toBeNaN()
})
