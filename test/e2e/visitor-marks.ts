import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A visitor whose id, address and user agent can be recognised in any output. */
export interface MarkedVisitor {
  readonly visitorId: string
  /** From the address ranges reserved for documentation. */
  readonly address: string
  readonly userAgent: string
}

/** Visitors with unique ids, addresses and user agents, to search for in everything that a system writes. */
export class VisitorMarks {
  readonly visitors: MarkedVisitor[] = []

  add(): MarkedVisitor {
    const number = this.visitors.length
    const visitor = {
      visitorId: `visitor-${randomBytes(9).toString('hex')}`,
      address:
        number % 2 === 0 ? `203.0.113.${100 + number}` : `2001:db8:${(0xa000 + number).toString(16)}:7::${number}`,
      // Of a browser: bots have no derived visitor.
      userAgent: `Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0 Mark${randomBytes(9).toString('hex')}`,
    }
    this.visitors.push(visitor)
    return visitor
  }

  /** Searches all files of the folder for these properties of the visitors. Returns each match as `kind in path`. */
  async findIn(folder: string, kinds: readonly (keyof MarkedVisitor)[]): Promise<string[]> {
    const found = new Set<string>()
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      // The file may have been removed in the meantime.
      const content = await readFile(path).catch(() => Buffer.alloc(0))
      for (const visitor of this.visitors)
        for (const kind of kinds) if (content.includes(visitor[kind])) found.add(`${kind} in ${path}`)
    }
    return [...found]
  }
}
