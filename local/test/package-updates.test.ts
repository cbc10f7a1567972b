import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { checkEveryMs, setCurrent, upToDatePackage } from '../installation/package-updates.ts'

const old = 'nginx-0123456789ab'
const newer = 'nginx-ba9876543210'

let dir: string
let lines: string[]
let asked: number

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'clicktally-packages-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  lines = []
  asked = 0
})

function present(...folders: string[]): void {
  for (const folder of folders) mkdirSync(join(dir, folder))
}

/** Makes the last check look as if it were that long ago. */
function checkedBefore(ms: number): void {
  const time = new Date(Date.now() - ms)
  utimesSync(join(dir, 'nginx.current'), time, time)
}

async function update(newest: () => string, signal?: AbortSignal): Promise<string | undefined> {
  const unpackNewest = async () => {
    asked += 1
    return newest()
  }
  return await upToDatePackage({ dir, name: 'nginx', onLine: (line) => lines.push(line), signal, unpackNewest })
}

const offline = () => {
  throw new Error('no network\nmore about it')
}
const hasNewer = () => {
  if (!existsSync(join(dir, newer))) present(newer)
  return newer
}

describe('an unpacked package', () => {
  test('that does not exist yet is not fetched', async () => {
    expect(await update(hasNewer)).toBeUndefined()
    expect(asked).toBe(0)
  })

  test('is used without a check if the last one was within a day', async () => {
    present(old)
    setCurrent({ dir, name: 'nginx' }, old)
    checkedBefore(checkEveryMs - 60_000)
    expect(await update(hasNewer)).toBe(join(dir, old))
    expect(asked).toBe(0)
  })

  test('is replaced by a newer one after a day, and not checked again that day', async () => {
    present(old)
    setCurrent({ dir, name: 'nginx' }, old)
    checkedBefore(checkEveryMs + 1)
    expect(await update(hasNewer)).toBe(join(dir, newer))
    expect(await update(offline)).toBe(join(dir, newer))
    expect(asked).toBe(1)
    // Programs may still run from it.
    expect(existsSync(join(dir, old))).toBe(true)
  })

  test('is used as it is without a network, and not checked again at each start', async () => {
    present(old)
    setCurrent({ dir, name: 'nginx' }, old)
    checkedBefore(checkEveryMs + 1)
    expect(await update(offline)).toBe(join(dir, old))
    expect(lines).toEqual(['nginx could not be checked for updates and is used as it is: no network'])
    expect(await update(hasNewer)).toBe(join(dir, old))
    expect(asked).toBe(1)
  })

  test('of an earlier release is taken over, and checked a day later', async () => {
    present('nginx')
    expect(await update(hasNewer)).toBe(join(dir, 'nginx'))
    expect(asked).toBe(0)
    checkedBefore(checkEveryMs + 1)
    expect(await update(hasNewer)).toBe(join(dir, newer))
  })

  test('keeps the previous version, and removes only older ones', async () => {
    present(old, 'nginx', 'nginx-extras', 'rabbitmq-server-0123456789ab')
    setCurrent({ dir, name: 'nginx' }, old)
    checkedBefore(checkEveryMs + 1)
    await update(hasNewer)
    const left = ['nginx', old, newer, 'nginx-extras', 'rabbitmq-server-0123456789ab'].filter((folder) =>
      existsSync(join(dir, folder)),
    )
    expect(left).toEqual([old, newer, 'nginx-extras', 'rabbitmq-server-0123456789ab'])
  })

  test('that was removed by hand counts as missing', async () => {
    setCurrent({ dir, name: 'nginx' }, old)
    expect(await update(hasNewer)).toBeUndefined()
  })

  test('does not continue an aborted start', async () => {
    present(old)
    setCurrent({ dir, name: 'nginx' }, old)
    checkedBefore(checkEveryMs + 1)
    const stopped = new AbortController()
    await expect(
      update(() => {
        stopped.abort(new Error('stopped'))
        return offline()
      }, stopped.signal),
    ).rejects.toThrow('stopped')
    expect(Date.now() - statSync(join(dir, 'nginx.current')).mtimeMs).toBeLessThan(checkEveryMs)
  })
})
