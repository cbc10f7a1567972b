import { createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

export interface CopiedFile {
  /** Relative to the folder, with slashes. */
  readonly name: string
  readonly sha256: string
}

/** Writes a new file, which is on the disk when the promise resolves. Its folder may not be. */
export async function writeSynced(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const file = await open(path, 'wx', mode)
  try {
    await file.chmod(mode)
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Writes to the disk that the folder contains its files. */
export async function syncFolder(folder: string): Promise<void> {
  const directory = await open(folder)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** Copies a folder of small files, with their permissions, to a new one. All of it is on the disk when the promise resolves. */
export async function copyFolder(from: string, to: string): Promise<CopiedFile[]> {
  await mkdir(to, { mode: 0o700 })
  const copied: CopiedFile[] = []
  for (const name of (await readdir(from)).sort()) {
    const path = join(from, name)
    // Of what a link leads to: the copy has to outlive it.
    const found = await stat(path)
    if (found.isDirectory()) {
      for (const file of await copyFolder(path, join(to, name))) copied.push({ ...file, name: `${name}/${file.name}` })
    } else if (found.isFile()) {
      const content = await readFile(path)
      await writeSynced(join(to, name), content, found.mode & 0o777)
      copied.push({ name, sha256: createHash('sha256').update(content).digest('hex') })
    }
  }
  await syncFolder(to)
  return copied
}
