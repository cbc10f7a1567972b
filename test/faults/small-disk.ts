import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rename, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '@clicktally/local/processes/run-command.ts'
import type { FaultSystem } from './fault-system.ts'

/** A disk that contains only the data of one server. */
export interface SmallDisk {
  /** Writes until no space is left. */
  fill(): Promise<void>
  /** Deletes what fill() has written. */
  free(): Promise<void>
}

/** Undefined if this process may mount a file system; otherwise the reason why not. */
export async function whyNoSmallDisk(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root on Linux may mount a small disk'
  const dir = await mkdtemp(join(tmpdir(), 'clicktally-mount-'))
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', dir])
    await run('umount', [dir])
    return undefined
  } catch (error) {
    return `this machine does not allow mounting: ${(error as Error).message.trim()}`
  } finally {
    await rmdir(dir)
  }
}

/**
 * Calls `act` while a server has its data on a small disk. The server is restarted before and after, and its data is copied each
 * time.
 *
 * @param roomMiB initial free space.
 */
export async function onSmallDisk(
  { system }: FaultSystem,
  server: 'rabbitmq' | 'postgres',
  roomMiB: number,
  act: (disk: SmallDisk) => Promise<void>,
): Promise<void> {
  const dir = join(system.secretsDir, '..', 'data', server)
  const kept = `${dir}.kept`
  const filler = join(dir, 'filler')
  const service = system.services.get(server)?.program
  if (service === undefined) throw new Error(`there is no ${server}`)
  await service.stop()
  await rename(dir, kept)
  await mkdir(dir)
  const usedMiB = Number.parseInt(await run('du', ['-sm', kept]), 10)
  await run('mount', ['-t', 'tmpfs', '-o', `size=${usedMiB + roomMiB}m`, 'tmpfs', dir])
  try {
    await copy(kept, dir)
    await service.start()
    await act({
      fill: async () => {
        // dd is expected to fail: no space left.
        await new Promise((resolve, reject) => {
          const dd = spawn('dd', ['if=/dev/zero', `of=${filler}`, 'bs=1M'], { stdio: 'ignore' })
          dd.once('error', reject)
          dd.once('exit', resolve)
        })
      },
      free: () => rm(filler, { force: true }),
    })
  } finally {
    await rm(filler, { force: true })
    await service.stop()
    await rm(kept, { recursive: true })
    await mkdir(kept)
    await copy(dir, kept)
    await run('umount', [dir])
    await rmdir(dir)
    await rename(kept, dir)
    await service.start()
  }
}

/** Copies the contents of a folder, and the folder's own owner and mode. */
async function copy(from: string, to: string): Promise<void> {
  await run('cp', ['-a', `${from}/.`, to])
}

async function run(command: string, args: string[]): Promise<string> {
  const { code, output } = await runCommand(command, args, { cwd: '/', withinMs: 300_000 })
  if (code !== 0) throw new Error(`${command} ended with code ${code}: ${output}`)
  return output
}
