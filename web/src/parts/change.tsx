import { formatChange } from '../format.ts'

/** By how much a value is more or less than before; nothing if there was none before. */
export function Change({ value, before }: { value: number | undefined; before: number | undefined }) {
  const change = value === undefined || before === undefined ? undefined : formatChange(value, before)
  if (change === undefined) return null
  return <span class={`change ${change.startsWith('-') ? 'down' : 'up'}`}>{change}</span>
}
