import { isClicksMessageType } from '@clicktally/message/message-type.ts'
import { printable } from '@clicktally/terminal/printable.ts'

/** A line of a message can be a little longer than an event may be: this many bytes always hold the first one whole. */
export const firstLineBytes = 40_000

const previewBytes = 80
const hexDumpBytes = 256
const bytesPerHexLine = 16

/** What the letter is about, in a few words: the target of its first click, or else its first bytes. */
export function describeContent(content: Buffer, type: string | null): string {
  const target = isClicksMessageType(type) ? firstTarget(content) : undefined
  if (target !== undefined) return printable(target)
  return printable(content.subarray(0, previewBytes).toString('utf8'))
}

/** The target of the first click in the content; undefined where that can't be made out. */
export function firstTarget(content: Buffer): string | undefined {
  const end = content.indexOf('\n')
  const line = content.toString('utf8', 0, end === -1 ? content.length : end)
  try {
    const { target } = JSON.parse(line) as { target?: unknown }
    return typeof target === 'string' ? target : undefined
  } catch {
    return undefined
  }
}

/** The content as text; undefined where it is none: not UTF-8, or with control characters but line breaks and tabs. */
export function textOf(content: Buffer): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content)
    return /[\p{Cc}--[\n\r\t]]/v.test(text) ? undefined : text
  } catch {
    return undefined
  }
}

/** The first bytes as `hexdump -C` shows them. */
export function hexDump(content: Buffer): string[] {
  const lines: string[] = []
  for (let offset = 0; offset < Math.min(content.length, hexDumpBytes); offset += bytesPerHexLine) {
    const bytes = content.subarray(offset, Math.min(offset + bytesPerHexLine, hexDumpBytes))
    const hex = bytes
      .toString('hex')
      .replace(/../g, '$& ')
      .padEnd(bytesPerHexLine * 3)
    lines.push(`${offset.toString(16).padStart(8, '0')}  ${hex} ${bytes.toString('latin1').replace(/[^ -~]/g, '.')}`)
  }
  if (content.length > hexDumpBytes) lines.push(`… and ${content.length - hexDumpBytes} bytes more`)
  return lines
}
