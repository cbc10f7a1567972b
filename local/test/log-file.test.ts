import { appendFileSync, closeSync, mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { maxLogBytes, openLog, readLogFrom, sizeOf, trimLog } from '../processes/log-file.ts'

function newLogPath(): string {
  const dir = mkdtempSync(join(tmpdir(), 'clicktally-log-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  return join(dir, 'logs', 'service.log')
}

test('a log is continued by the next start', () => {
  const path = newLogPath()
  for (const line of ['one\n', 'two\n']) {
    const log = openLog(path)
    writeSync(log, line)
    closeSync(log)
  }
  expect(readLogFrom(path, 0)).toBe('one\ntwo\n')
  expect(readLogFrom(path, 4)).toBe('two\n')
})

test('a full log is rotated at the next start', () => {
  const path = newLogPath()
  closeSync(openLog(path))
  appendFileSync(path, 'x'.repeat(maxLogBytes + 1))
  closeSync(openLog(path))
  expect(sizeOf(path)).toBe(0)
  expect(sizeOf(`${path}.1`)).toBe(maxLogBytes + 1)
})

test('the log of a running program is rotated, and continues in an empty file', () => {
  const path = newLogPath()
  const log = openLog(path)
  onTestFinished(() => closeSync(log))
  writeSync(log, 'x'.repeat(maxLogBytes))
  trimLog(path)
  expect(sizeOf(path)).toBe(maxLogBytes)
  writeSync(log, 'x')
  trimLog(path)
  writeSync(log, 'next\n')
  expect(readFileSync(path, 'utf8')).toBe('next\n')
})
