// For a service's NODE_OPTIONS=--import: its clock is wrong by CLOCK_SHIFT_MS milliseconds, positive where it is ahead.

const shiftMs = Number(process.env.CLOCK_SHIFT_MS)
if (!shiftMs) throw new Error('CLOCK_SHIFT_MS is not set: by how many milliseconds the clock is to be wrong')

const RealDate = Date
const now = () => RealDate.now() + shiftMs

globalThis.Date = new Proxy(RealDate, {
  get: (target, property, receiver) => (property === 'now' ? now : Reflect.get(target, property, receiver)),
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget === globalThis.Date ? target : newTarget),
  apply: () => new RealDate(now()).toString(),
})
RealDate.prototype.constructor = globalThis.Date
