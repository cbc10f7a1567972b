import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface PackageUpdates {
  /** The folder for all unpacked packages. */
  readonly dir: string
  /** The package's name. */
  readonly name: string
  onLine(line: string): void
  readonly signal?: AbortSignal | undefined
  /**
   * Brings the newest that the distribution has into a folder in `dir` that is named after the package and its content, and
   * returns the folder's name; at once where it is there.
   */
  unpackNewest(): Promise<string>
}

/** The distribution's security updates come some time in the day; asking costs some megabytes of package lists. */
export const checkEveryMs = 24 * 3_600_000

/**
 * The folder of a package that was unpacked before, brought up to date at most once a day; undefined where there is none yet.
 * Never fails for want of an update: without a network, what is there goes on being used.
 *
 * Which folder is the current one stands in a file beside, whose time is that of the last check. A newer version gets a folder
 * of its own, since programs may be running from the one before: that one is removed when the next comes.
 */
export async function upToDatePackage(updates: PackageUpdates): Promise<string | undefined> {
  const { dir, name, onLine, signal, unpackNewest } = updates
  const pointer = pointerPath(updates)
  let current = currentFolder(updates)
  if (current === undefined) {
    // Of the time before there were versions: from now on it is checked as every other.
    if (!existsSync(join(dir, name))) return undefined
    current = name
    setCurrent(updates, current)
  }
  if (Date.now() - statSync(pointer).mtimeMs < checkEveryMs) return join(dir, current)
  // Before the attempt: one that fails, or is broken off, is not repeated at each start.
  utimesSync(pointer, new Date(), new Date())
  try {
    const newest = await unpackNewest()
    if (newest === current) return join(dir, current)
    setCurrent(updates, newest)
    removeAllBut(updates, [current, newest])
    onLine(`${name} was updated from the distribution`)
    return join(dir, newest)
  } catch (error) {
    signal?.throwIfAborted()
    onLine(
      `${name} could not be checked for updates, and is used as it is: ${(error as Error).message.split('\n', 1)[0]}`,
    )
    return join(dir, current)
  }
}

/** From now on this folder is the package's. */
export function setCurrent(updates: Pick<PackageUpdates, 'dir' | 'name'>, folder: string): void {
  const path = pointerPath(updates)
  writeFileSync(`${path}.tmp`, folder)
  renameSync(`${path}.tmp`, path)
}

function currentFolder(updates: PackageUpdates): string | undefined {
  const path = pointerPath(updates)
  if (!existsSync(path)) return undefined
  const folder = readFileSync(path, 'utf8')
  return folder !== '' && existsSync(join(updates.dir, folder)) ? folder : undefined
}

function removeAllBut({ dir, name }: PackageUpdates, kept: readonly string[]): void {
  const own = new RegExp(`^${name}(-[0-9a-f]{12})?$`)
  for (const folder of readdirSync(dir)) {
    if (own.test(folder) && !kept.includes(folder)) rmSync(join(dir, folder), { recursive: true, force: true })
  }
}

function pointerPath({ dir, name }: Pick<PackageUpdates, 'dir' | 'name'>): string {
  return join(dir, `${name}.current`)
}
