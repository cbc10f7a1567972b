import { mkdirSync, statfsSync } from 'node:fs'
import { portProblem } from './ports.ts'
import { Problem } from './problem.ts'
import type { ListenAddress } from './servers/nginx-settings.ts'

/** A start needs 250 MB (packages, an empty database). With less than this the broker soon blocks publishers. */
const neededBytes = 1024 ** 3

/** @throws Problem when the folder's disk is nearly full. */
export function checkDiskSpace(dir: string): void {
  mkdirSync(dir, { recursive: true })
  const { bavail, bsize } = statfsSync(dir)
  const freeBytes = bavail * bsize
  if (freeBytes >= neededBytes) return
  const [free, needed] = [freeBytes, neededBytes].map((bytes) => `${Math.round(bytes / 1024 ** 2)} MB`)
  throw new Problem(
    `The disk of ${dir} has ${free} free, but Clicktally needs ${needed}. Free some space and start again.`,
  )
}

/**
 * @param choice how another port is chosen, up to its number
 * @throws Problem when the address cannot be listened on.
 */
export async function checkPort({ host, port }: ListenAddress, choice: string): Promise<void> {
  const code = await portProblem(port, host.replace(/^\[|\]$/g, ''))
  if (code === undefined) return
  const other = `choose another one: ${choice}`
  if (code === 'EACCES') throw new Problem(`Only root may listen on port ${port}: ${other}${port + 8_000}`)
  if (code === 'EADDRNOTAVAIL') throw new Problem(`This machine has no address ${host}.`)
  throw new Problem(`Port ${port} is in use by another program (${code}). Stop that program, or ${other}${port + 10}`)
}
