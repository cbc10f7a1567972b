/** How a count changed: `+12 %`, `-3 %`, `new`, or nothing if it is 0 as before. */
export function change(now: number, before: number): string {
  if (before === 0) return now === 0 ? '' : 'new'
  const percent = Math.round((now / before - 1) * 100)
  return `${percent < 0 ? '' : '+'}${percent} %`
}
