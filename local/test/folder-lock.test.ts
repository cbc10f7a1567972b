import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type FolderLock, tryLock } from '../files/folder-lock.ts'
import type { ProcessIdentity } from '../processes/process-identity.ts'

function newLockPath(): string {
  const dir = mkdtempSync(join(tmpdir(), 'clicktally-lock-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  return join(dir, 'lock')
}

function isTaken(result: FolderLock | ProcessIdentity): result is FolderLock {
  return 'release' in result
}

/** Another process that takes the lock and keeps it. */
async function holderOf(path: string) {
  const module = JSON.stringify(join(import.meta.dirname, '../files/folder-lock.ts'))
  const script = `import { tryLock } from ${module}; tryLock(${JSON.stringify(path)}); console.log('held'); setInterval(() => {}, 1000)`
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void holder.kill('SIGKILL'))
  await once(holder.stdout, 'data')
  return holder
}

test('a process that asks for a held lock learns its holder', async () => {
  const path = newLockPath()
  const holder = await holderOf(path)
  expect(tryLock(path)).toMatchObject({ pid: holder.pid })
})

test('the lock of a killed process is taken over', async () => {
  const path = newLockPath()
  const holder = await holderOf(path)
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  expect(isTaken(tryLock(path))).toBe(true)
})

test('the lock of a process whose id was reused is taken over', () => {
  const path = newLockPath()
  writeFileSync(path, JSON.stringify({ pid: process.pid, startedAt: 'in another life' }))
  expect(isTaken(tryLock(path))).toBe(true)
})

test('an invalid lock file is taken over', () => {
  const path = newLockPath()
  writeFileSync(path, '')
  expect(isTaken(tryLock(path))).toBe(true)
})

test('a released lock is free again', () => {
  const path = newLockPath()
  const lock = tryLock(path)
  if (isTaken(lock)) lock.release()
  expect(isTaken(tryLock(path))).toBe(true)
})
