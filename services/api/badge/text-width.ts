/** Widths of characters in Verdana at 11 pixels, in pixels. */
const widths: Readonly<Record<string, number>> = {
  ...widthOf(3.1, "ijl'|"),
  ...widthOf(4, 'ft .,:;!/\\I'),
  ...widthOf(4.9, 'r-()[]"`'),
  ...widthOf(5.8, 'cksxyzvJ{}*?_'),
  ...widthOf(7, 'abdeghnopqu0123456789LFTYZSEPBXKCAV$'),
  ...widthOf(8.5, 'RUDGHNOQ&#+=<>~^'),
  ...widthOf(9.5, 'wM@'),
  ...widthOf(10.9, 'mW%'),
}
/** Of characters outside the table, such as Chinese ones or emoji. */
const otherWidth = 11

/** About how wide a text is, in pixels. An image gives its texts exactly this width, so that it looks the same with other fonts. */
export function textWidth(text: string): number {
  return Math.round([...text].reduce((sum, character) => sum + (widths[character] ?? otherWidth), 0))
}

function widthOf(width: number, characters: string): Record<string, number> {
  return Object.fromEntries([...characters].map((character) => [character, width]))
}
