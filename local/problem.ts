/**
 * An error that the user can fix. Only its message is shown, without a stack trace; it tells what is wrong and what to do.
 */
export class Problem extends Error {
  override name = 'Problem'
}

const notOurs = new Set(['EACCES', 'EPERM'])
const noSpaceLeft = new Set(['ENOSPC', 'EDQUOT'])

/** The error's text for the user: a Problem's message, a full disk or foreign file named as such, or the stack trace. */
export function explain(error: unknown): string {
  if (error instanceof Problem) return error.message
  if (error instanceof Error && 'code' in error && noSpaceLeft.has(String(error.code))) {
    const where = 'path' in error && error.path ? ` (writing ${error.path})` : ''
    return `No space is left on the disk${where}. Free some space and start again. No counted click is lost.`
  }
  if (error instanceof Error && 'code' in error && notOurs.has(String(error.code)) && 'path' in error && error.path) {
    return `${error.path} belongs to another user (${error.code}). If "npm start" was run as root before, change the owner of .local/ with chown.`
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
