import { resolve } from 'node:path'
import { buildPages } from './pages.ts'

// node build/main.ts <folder>: builds the pages into a new folder, for the image of nginx.
const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('usage: node build/main.ts <folder>')
await buildPages(resolve(folder))
