import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import type { Readable } from 'node:stream'
import { ArchiveMissing, type ArchiveStore, ArchiveUnavailable } from './archive-store.ts'

const partial = '.partial'

/**
 * Archives in a folder. It has to be on a disk of its own, or copied elsewhere: it is what remains of the clicks. It is not created: where a
 * disk is not mounted, there would seem to be no archives, and new ones would go to another disk.
 */
export class FolderStore implements ArchiveStore {
  readonly description: string
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
    this.description = folder
  }

  async write(name: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const path = join(this.#folder, name)
    const folder = dirname(path)
    await this.#requireFolder()
    await mkdir(folder, { recursive: true, mode: 0o700 })
    // What a process that was killed has left of it.
    for (const unfinished of (await this.list(`${name}.`)).filter((each) => each.endsWith(partial)))
      await this.remove(unfinished)
    const temporary = `${path}.${randomBytes(6).toString('hex')}${partial}`
    try {
      // Archives have the visitors of clicks: only their owner may read them.
      const file = await open(temporary, 'wx', 0o600)
      try {
        for await (const chunk of content) await file.writeFile(chunk)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
    const directory = await open(folder)
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  }

  async read(name: string): Promise<Readable> {
    const path = join(this.#folder, name)
    const file = await open(path).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'ENOENT' ? new ArchiveMissing(name, this.description, { cause: error }) : error
    })
    return createReadStream(path, { fd: file, highWaterMark: 1024 * 1024 })
  }

  async list(prefix: string): Promise<string[]> {
    // Only the folder that the prefix names: there is one for each project, and over the years a file for each of its days.
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    const entries = await readdir(join(this.#folder, folder), { recursive: true, withFileTypes: true }).catch(
      async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
        await this.#requireFolder()
        return []
      },
    )
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(this.#folder, join(entry.parentPath, entry.name)).replaceAll(sep, '/'))
      .filter((name) => name.startsWith(prefix))
      .sort()
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.#folder, name), { force: true })
  }

  close(): void {}

  async #requireFolder(): Promise<void> {
    await stat(this.#folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
      throw new ArchiveUnavailable(
        `The folder of the archives, ${this.#folder}, does not exist. Is its disk mounted? If it is new, create it.`,
        { cause: error },
      )
    })
  }
}
