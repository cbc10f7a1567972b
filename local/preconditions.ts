import { mkdirSync, statfsSync } from 'node:fs'
import { portProblem } from './ports.ts'
import { Problem } from './problem.ts'

/** A start needs 250 MB (packages, an empty database); below this much the broker soon makes publishers wait. */
const neededBytes = 1024 ** 3

/** @throws Problem when the folder's disk is nearly full. */
export function checkDiskSpace(dir: string): void {
  mkdirSync(dir, { recursive: true })
  const { bavail, bsize } = statfsSync(dir)
  const freeBytes = bavail * bsize
  if (freeBytes >= neededBytes) return
  const [free, needed] = [freeBytes, neededBytes].map((bytes) => `${Math.round(bytes / 1024 ** 2)} MB`)
  throw new Problem(
    `The disk of ${dir} has ${free} free, and Clicktally needs ${needed}: free some space and start again.`,
  )
}

/** @throws Problem when nothing can listen on this port of 127.0.0.1. */
export async function checkPort(port: number): Promise<void> {
  const code = await portProblem(port)
  if (code === undefined) return
  const other = 'choose another one: npm start -- --port '
  if (code === 'EACCES') throw new Problem(`Only root may listen on port ${port}: ${other}8080`)
  throw new Problem(`Port ${port} is taken by another program (${code}): stop that one, or ${other}${port + 10}`)
}
