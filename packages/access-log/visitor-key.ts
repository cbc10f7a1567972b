import { randomBytes } from 'node:crypto'
import { link, mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'

const keyBytes = 32

/** The key file exists but cannot be used. The message is for the user, who has to fix it. */
export class VisitorKeyError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'VisitorKeyError'
  }
}

/**
 * Reads the key for visitor ids from the file `visitor-key`: 64 hexadecimal digits, readable by its owner only. The first call
 * generates it. It must not change, since a different key yields different visitors.
 *
 * @param dir folder of this user; created if missing
 * @throws {VisitorKeyError} if other users can read the file, or it contains no key
 */
export async function readVisitorKey(dir: string): Promise<Buffer> {
  const path = join(dir, 'visitor-key')
  return (await read(path)) ?? (await make(dir, path))
}

async function read(path: string): Promise<Buffer | undefined> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new VisitorKeyError(`The visitor key ${path} can't be read: ${error.message}`)
  })
  if (file === undefined) return undefined
  try {
    const { mode } = await file.stat()
    if ((mode & 0o077) !== 0) {
      throw new VisitorKeyError(`The visitor key ${path} can be read by other users. Make it yours: chmod 600 ${path}`)
    }
    const text = (await file.readFile('utf8')).trim()
    if (!/^[0-9a-f]{64}$/.test(text)) {
      throw new VisitorKeyError(
        `${path} is no visitor key: it must be 64 hex digits. Restore it; a new one would make other visitors.`,
      )
    }
    return Buffer.from(text, 'hex')
  } finally {
    await file.close()
  }
}

/** Writes a new key to disk atomically. If another process does the same at the same time, both get the same key. */
async function make(dir: string, path: string): Promise<Buffer> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const key = randomBytes(keyBytes)
  const draft = `${path}.${randomBytes(6).toString('hex')}.draft`
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(`${key.toString('hex')}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await link(draft, path)
    return key
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await rm(draft, { force: true })
  }
  const other = await read(path)
  if (other === undefined) throw new VisitorKeyError(`The visitor key ${path} was removed while it was being made.`)
  return other
}
