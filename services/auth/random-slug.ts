import { randomInt } from 'node:crypto'

const characters = 'abcdefghijklmnopqrstuvwxyz0123456789'
/** 62 bits: nobody finds a random one by trying. */
const length = 12

/** A name in a URL, of a public counter or a link. */
export function randomSlug(): string {
  return Array.from({ length }, () => characters[randomInt(characters.length)]).join('')
}
