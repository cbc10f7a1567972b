import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '@clicktally/testing/until.ts'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ScalingPolicy } from '../scaling-policy.ts'

describe('the policy', () => {
  const limits = { min: 1, max: 4, messagesPerProcessor: 100, calmMs: 60_000 }

  test('meets a backlog at once, up to the limit', () => {
    const policy = new ScalingPolicy(limits)
    expect(policy.decide(1, 0, 0)).toBe(1)
    expect(policy.decide(1, 250, 1)).toBe(3)
    expect(policy.decide(3, 100_000, 2)).toBe(4)
  })

  test('stops one at a time, each after a calm of its own', () => {
    const policy = new ScalingPolicy(limits)
    expect(policy.decide(4, 0, 0)).toBe(4)
    expect(policy.decide(4, 0, 59_999)).toBe(4)
    expect(policy.decide(4, 0, 60_000)).toBe(3)
    expect(policy.decide(3, 0, 60_001)).toBe(3)
    // A backlog in between starts the calm anew.
    expect(policy.decide(3, 300, 100_000)).toBe(3)
    expect(policy.decide(3, 0, 120_001)).toBe(3)
    expect(policy.decide(3, 0, 180_001)).toBe(2)
  })

  test('changes nothing while the backlog is unknown, but keeps the limits', () => {
    const policy = new ScalingPolicy(limits)
    expect(policy.decide(3, undefined, 0)).toBe(3)
    expect(policy.decide(0, undefined, 1)).toBe(1)
    expect(policy.decide(9, undefined, 2)).toBe(4)
  })
})

/** Keeps the number of processors in a file, and that of messages in another. */
const docker = `#!/bin/sh
shift
case "$1" in
  ps) seq "$(cat processors)" ;;
  exec) printf '[{"name":"keys","messages_ready":9},{"name":"clicks","messages_ready":%s}]' "$(cat messages)" ;;
  up) echo "$*" >> calls; for arg; do case "$arg" in processor=*) echo "\${arg#processor=}" > processors ;; esac; done ;;
esac
`

test('the program follows the backlog with docker compose', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'clicktally-autoscale-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  await writeFile(join(dir, 'docker'), docker)
  await chmod(join(dir, 'docker'), 0o755)
  const put = (name: string, value: number) => writeFile(join(dir, name), String(value))
  const processors = async () => Number(await readFile(join(dir, 'processors'), 'utf8'))
  await put('processors', 1)
  await put('messages', 0)
  const args = ['--dir', dir, '--max', '3', '--messages', '100', '--every', '1', '--calm', '1']
  const program = spawn(process.execPath, [join(import.meta.dirname, '../main.ts'), ...args], {
    env: { ...process.env, PATH: `${dir}:${process.env.PATH}` },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  program.stdout.on('data', (chunk: Buffer) => {
    output += chunk
  })
  onTestFinished(() => void program.kill('SIGKILL'))
  await put('messages', 1_000)
  await until(async () => (await processors()) === 3, 'three processors')
  await put('messages', 0)
  await until(async () => (await processors()) === 1, 'one processor')
  const ended = once(program, 'exit')
  program.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
  expect(output).toContain('1000 messages wait: 1 → 3 processors')
  const calls = await readFile(join(dir, 'calls'), 'utf8')
  expect(calls.split('\n')[0]).toBe('up --detach --no-deps --no-recreate --scale processor=3 processor')
})
