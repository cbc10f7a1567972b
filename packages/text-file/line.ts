/** Where a line begins. */
export interface LinePosition {
  /** How many lines are before it. */
  readonly lines: number
  /** How many bytes are before it: of the text, where the file is gzip. */
  readonly bytes: number
}

export interface Line {
  /** Without its line break. Bytes that are not UTF-8 are U+FFFD, and so is U+0000, which no event may hold. */
  readonly text: string
  /** Counted from 1. */
  readonly number: number
  /** How many bytes of the text end with it: where the next line begins. */
  readonly endBytes: number
  /** It was longer than 64 KiB: `text` has its beginning only. */
  readonly isCut: boolean
}

export const startOfText: LinePosition = { lines: 0, bytes: 0 }

/** A longer line is cut here: no event and no request line comes near it, and what holds no line is no text. */
export const maxLineBytes = 65_536

const newline = 0x0a

/**
 * Splits a text into lines, as many at a time as a chunk gives.
 *
 * @param from where the first byte of `chunks` stands in the whole
 */
export async function* splitLines(
  chunks: AsyncIterable<Buffer>,
  from: LinePosition = startOfText,
): AsyncGenerator<Line[]> {
  let { lines: number, bytes: endBytes } = from
  // The beginning of a line that has not ended yet: what is kept of it, and how long it is in truth.
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
    // A byte order mark, which some programs put in front of UTF-8.
    const tidy = number === 1 && text.startsWith('\ufeff') ? text.slice(1) : text
    return { text: tidy, number, endBytes, isCut: whole.length > maxLineBytes }
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
    // What is beyond the limit is let go, so that a file without newlines takes no more memory than a line.
    if (begun.length <= maxLineBytes) begun = withoutHole(Buffer.concat([begun, rest]))
    if (lines.length > 0) yield lines
  }
  if (begun.length > 0) yield [finish(Buffer.alloc(0), 0)]
}

// A log that was truncated while its server wrote on begins with a hole, which may be larger than any line.
function withoutHole(bytes: Buffer): Buffer {
  let start = 0
  while (bytes[start] === 0) start++
  return bytes.subarray(start)
}

function decode(bytes: Buffer): string {
  const text = bytes.toString('utf8', 0, Math.min(bytes.length, maxLineBytes))
  return text.includes('\0') ? text.replaceAll('\0', '\ufffd') : text
}
