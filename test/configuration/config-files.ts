import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

export const root = join(import.meta.dirname, '../..')

/** A program's config.ts, by its path from the root. */
export async function loadConfig(path: string): Promise<{ readConfig: (source: NodeJS.ProcessEnv) => unknown }> {
  return await import(pathToFileURL(join(root, path)).href)
}

/** The variables that a program's readConfig reads. It reads all of them before it reports those that are wrong or missing. */
export async function namesReadBy(path: string): Promise<Set<string>> {
  const { readConfig } = await loadConfig(path)
  const names = new Set<string>()
  const recorder = new Proxy<NodeJS.ProcessEnv>(
    {},
    {
      get(_target, name) {
        names.add(String(name))
        return undefined
      },
    },
  )
  try {
    readConfig(recorder)
  } catch {
    // A required variable is missing.
  }
  return names
}
