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
   * Unpacks the distribution's newest version into a folder in `dir` that is named after the package and its content, unless it
   * exists, and returns the folder's name.
   */
  unpackNewest(): Promise<string>
}

/** Security updates come about daily, and a check downloads some megabytes of package lists. */
export const checkEveryMs = 24 * 3_600_000

/**
 * The folder of a package that was unpacked before, updated at most once a day; undefined if there is none yet. A failed update is
 * not an error: without a network the existing version stays in use.
 *
 * A pointer file names the current folder, and its modification time is that of the last check. A newer version gets its own folder,
 * because programs may still run from the previous one, which is removed at the update after that.
 */
export async function upToDatePackage(updates: PackageUpdates): Promise<string | undefined> {
  const { dir, name, onLine, signal, unpackNewest } = updates
  const pointer = pointerPath(updates)
  let current = currentFolder(updates)
  if (current === undefined) {
    // From an earlier release, without a pointer file. It is checked like any other from now on.
    if (!existsSync(join(dir, name))) return undefined
    current = name
    setCurrent(updates, current)
  }
  if (Date.now() - statSync(pointer).mtimeMs < checkEveryMs) return join(dir, current)
  // Set before the attempt, so that a failed or aborted one is not repeated at each start.
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
      `${name} could not be checked for updates and is used as it is: ${(error as Error).message.split('\n', 1)[0]}`,
    )
    return join(dir, current)
  }
}

/** Makes this folder the current one of the package. */
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
