import { join } from 'node:path'

/** The root of the clone. */
export const cloneDir = join(import.meta.dirname, '../..')

/** Everything that a clone creates for itself: data, logs, passwords and downloaded tools. */
export const localDir = join(cloneDir, '.local')
