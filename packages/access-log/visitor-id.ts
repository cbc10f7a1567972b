import { hash } from 'node:crypto'

/** 16 hex digits that stand for a visitor, so that no address leaves the log. */
export function visitorIdFor(address: string): string {
  return hash('sha256', address, 'hex').slice(0, 16)
}
