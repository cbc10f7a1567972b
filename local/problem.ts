/**
 * Something that stands in the way and that the person at the keyboard can change: shown as its message alone, without
 * a stack. The message says what is wrong and what to do.
 */
export class Problem extends Error {
  override name = 'Problem'
}

const notOurs = new Set(['EACCES', 'EPERM'])
const noSpaceLeft = new Set(['ENOSPC', 'EDQUOT'])

/** The error's text for people: a Problem's message, a full disk named as such, or what Node says. */
export function explain(error: unknown): string {
  if (error instanceof Problem) return error.message
  if (error instanceof Error && 'code' in error && noSpaceLeft.has(String(error.code))) {
    const where = 'path' in error && error.path ? ` (writing ${error.path})` : ''
    return `No space is left on the disk${where}. Free some and start again; nothing that was counted is lost.`
  }
  if (error instanceof Error && 'code' in error && notOurs.has(String(error.code)) && 'path' in error && error.path) {
    return `${error.path} belongs to another user (${error.code}). Was "npm start" run as root before? Then hand .local/ over: chown.`
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
