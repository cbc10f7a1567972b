/** A file cannot be read. The message tells the user what is wrong and what to do. */
export class TextFileError extends Error {
  override name = 'TextFileError'
}

export function unreadable(name: string, error: unknown): TextFileError {
  if (error instanceof TextFileError) return error
  const { code, message } = error as NodeJS.ErrnoException
  const reasons: Record<string, string> = {
    ENOENT: 'there is no such file',
    ENOTDIR: 'there is no such file',
    EACCES: 'permission denied',
    EISDIR: 'it is a folder',
    Z_BUF_ERROR: 'its gzip data ends too early',
    Z_DATA_ERROR: 'its gzip data is damaged',
  }
  return new TextFileError(`${name} can't be read: ${reasons[code ?? ''] ?? message}.`, { cause: error })
}
