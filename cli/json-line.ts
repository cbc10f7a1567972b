// JSON.stringify() escapes only U+0000 to U+001F, but a terminal interprets more.
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** Returns a value as a line of JSON, with everything escaped that a terminal would interpret. */
export function jsonLine(value: object): string {
  return printableJson(JSON.stringify(value))
}

/** The same with text that is JSON already: numbers stay as they are written. */
export function printableJson(json: string): string {
  return json.replace(unprintable, (character) =>
    character.replace(/./gs, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  )
}
