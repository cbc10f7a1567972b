import { badgeColors } from '@clicktally/operations/public-operations.ts'
import { textWidth } from './text-width.ts'

export interface Badge {
  readonly label: string
  readonly message: string
  /** Hexadecimal digits, or a name of badgeColors. */
  readonly labelColor: string
  readonly color: string
}

const height = 20
const padding = 5

/** An image like those of shields.io: a label and a message beside each other. Has no style and no script. */
export function badgeSvg({ label, message, labelColor, color }: Badge): string {
  const left = textWidth(label) + 2 * padding
  const right = textWidth(message) + 2 * padding
  const width = left + right
  const name = escaped(`${label}: ${message}`)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" role="img" aria-label="${name}">`,
    `<title>${name}</title>`,
    `<clipPath id="r"><rect width="${width}" height="${height}" rx="3" fill="#fff"/></clipPath>`,
    '<g clip-path="url(#r)">',
    `<rect width="${left}" height="${height}" fill="${fillOf(labelColor)}"/>`,
    `<rect x="${left}" width="${right}" height="${height}" fill="${fillOf(color)}"/>`,
    '</g>',
    '<g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11">',
    ...[textAt(left / 2, label), textAt(left + right / 2, message)],
    '</g></svg>',
  ].join('')
}

function textAt(x: number, text: string): string {
  return `<text x="${x}" y="14" textLength="${textWidth(text)}">${escaped(text)}</text>`
}

/** @throws if it is neither a name nor hexadecimal digits, which would be put into the image as they are */
function fillOf(color: string): string {
  const named = Object.hasOwn(badgeColors, color) ? badgeColors[color as keyof typeof badgeColors] : undefined
  if (named !== undefined) return named
  if (!/^([0-9a-f]{3}|[0-9a-f]{6})$/i.test(color)) throw new Error('the color is invalid')
  return `#${color}`
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Characters that XML cannot have are left out. */
function escaped(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\x20-\x7e\u00a0-\ufffd\u{10000}-\u{10ffff}]/gu, '')
    .replace(/[&<>"']/g, (character) => entities[character] ?? '')
}
