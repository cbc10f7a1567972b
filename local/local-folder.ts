import { join } from 'node:path'

/** The clone's root. */
export const cloneDir = join(import.meta.dirname, '..')

/** Everything that a clone makes for itself: data, logs, passwords, and the tools that were fetched. */
export const localDir = join(cloneDir, '.local')
