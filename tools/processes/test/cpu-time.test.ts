import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { cpuSeconds } from '../cpu-time.ts'
import { processTrees } from '../process-tree.ts'

const busyForOneSecond =
  'const used = () => { const { user, system } = process.cpuUsage(); return user + system }; const end = used() + 1e6; while (used() < end);'

function start(program: string) {
  const child = spawn(process.execPath, ['--eval', program], { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  return { child, pid: child.pid ?? 0 }
}

test.runIf(process.platform === 'linux')('CPU time of a process that is busy for a second', async () => {
  const { child, pid } = start(`${busyForOneSecond} console.log('done'); setInterval(() => {}, 1_000)`)
  await once(child.stdout, 'data')
  const seconds = cpuSeconds([pid])
  expect(seconds).toBeGreaterThan(0.9)
  expect(seconds).toBeLessThan(3)
})

test.runIf(process.platform === 'linux')('includes its children, before and after they end', async () => {
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
  expect(processTrees([pid])).toHaveLength(2)
  child.stdin.write('end')
  await once(child.stdout, 'data')
  const ended = cpuSeconds([pid])
  expect(processTrees([pid])).toHaveLength(1)
  expect(running).toBeGreaterThan(0.9)
  expect(ended).toBeGreaterThanOrEqual(running)
})

test('is unknown for a pid without a process', () => {
  expect(cpuSeconds([2 ** 30])).toBeNaN()
})
