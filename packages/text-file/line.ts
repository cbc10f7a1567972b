/** Start of a line. */
export interface LinePosition {
  /** Number of lines before it. */
  readonly lines: number
  /** Number of bytes before it; of the decompressed text if the file is gzip. */
  readonly bytes: number
}

export interface Line {
  /** Without the line break. Invalid UTF-8, and U+0000, which no event may contain, are replaced by U+FFFD. */
  readonly text: string
  /** Line number, from 1. */
  readonly number: number
  /** Offset of the next line in bytes. */
  readonly endBytes: number
  /** The line was longer than 64 KiB, and `text` is truncated. */
  readonly isCut: boolean
  /** It is the last one, and ends with the text instead of a line break. */
  readonly lacksBreak?: true
}

export const startOfText: LinePosition = { lines: 0, bytes: 0 }

/** Longer lines are truncated: no event and no request comes close to this length. */
export const maxLineBytes = 65_536

const newline = 0x0a

/**
 * Splits a text into lines, and yields the lines of each chunk together.
 *
 * @param from position of the first byte of `chunks` in the whole text
 */
export async function* splitLines(
  chunks: AsyncIterable<Buffer>,
  from: LinePosition = startOfText,
): AsyncGenerator<Line[]> {
  let { lines: number, bytes: endBytes } = from
  // The unfinished line: its possibly truncated bytes, and its real length.
  let begun: Buffer = Buffer.alloc(0)
  let begunBytes = 0

  const finish = (rest: Buffer, breakBytes: number): Line => {
    const length = begunBytes + rest.length
    const whole = withoutHole(begun.length === 0 ? rest : Buffer.concat([begun, rest]))
    begun = Buffer.alloc(0)
    begunBytes = 0
    number += 1
    endBytes += length + breakBytes
    const text = decode(whole)
    // Some programs write a byte order mark before UTF-8.
    const tidy = number === 1 && text.startsWith('\ufeff') ? text.slice(1) : text
    const line = { text: tidy, number, endBytes, isCut: whole.length > maxLineBytes }
    return breakBytes === 0 ? { ...line, lacksBreak: true } : line
  }

  for await (const chunk of chunks) {
    const lines: Line[] = []
    let start = 0
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      lines.push(finish(chunk.subarray(start, end), 1))
      start = end + 1
    }
    const rest = chunk.subarray(start)
    begunBytes += rest.length
    // Drop what exceeds the limit, so that a file without newlines takes no more memory than a line.
    if (begun.length <= maxLineBytes) begun = withoutHole(Buffer.concat([begun, rest]))
    if (lines.length > 0) yield lines
  }
  if (begun.length > 0) yield [finish(Buffer.alloc(0), 0)]
}

// A log that was truncated while its server continued to write starts with zero bytes, maybe more than fit in a line.
function withoutHole(bytes: Buffer): Buffer {
  let start = 0
  while (bytes[start] === 0) start++
  return bytes.subarray(start)
}

function decode(bytes: Buffer): string {
  const text = bytes.toString('utf8', 0, Math.min(bytes.length, maxLineBytes))
  return text.includes('\0') ? text.replaceAll('\0', '\ufffd') : text
}
