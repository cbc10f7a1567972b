// Those of JSON.stringify are U+0000 to U+001F; a terminal acts on more.
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** The value as JSON in one line, with everything escaped that a terminal would act on: read by a program it is the same. */
export function jsonLine(value: object): string {
  return JSON.stringify(value).replace(unprintable, (character) =>
    character.replace(/./gs, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  )
}
