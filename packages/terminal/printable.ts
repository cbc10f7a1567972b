/** Control characters and characters that reorder text. In untrusted text they could rewrite what the terminal shows. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
const unprintableInLines = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** Replaces every character that a terminal would interpret instead of showing with U+FFFD. For untrusted text. */
export function printable(text: string): string {
  return text.replaceAll(unprintable, '\ufffd')
}

/**
 * Like printable(), but keeps line breaks: a last safeguard for whole messages. Untrusted parts of a message must go through
 * printable() first, so that they cannot start a new line.
 */
export function printableLines(text: string): string {
  return text.replaceAll(unprintableInLines, '\ufffd')
}
