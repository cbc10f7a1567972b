/** Control characters, and those that reorder text: a line of a log could write on the terminal with them what it likes. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
const unprintableInLines = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** The text with everything that a terminal would act on, rather than show, as U+FFFD: for what others wrote. */
export function printable(text: string): string {
  return text.replaceAll(unprintable, '\ufffd')
}

/**
 * The same for what a program prints as a whole, which may be lines. Whoever puts others' text into it makes that
 * printable() first, so that it cannot begin a line; this is for what was forgotten.
 */
export function printableLines(text: string): string {
  return text.replaceAll(unprintableInLines, '\ufffd')
}
