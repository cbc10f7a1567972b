// For a service's NODE_OPTIONS=--import: shifts its clock by CLOCK_SHIFT_MS milliseconds; a positive value sets it ahead.

const shiftMs = Number(process.env.CLOCK_SHIFT_MS)
if (!shiftMs) throw new Error('CLOCK_SHIFT_MS is not set: the number of milliseconds to shift the clock by')

const RealDate = Date
const now = () => RealDate.now() + shiftMs

globalThis.Date = new Proxy(RealDate, {
  get: (target, property, receiver) => (property === 'now' ? now : Reflect.get(target, property, receiver)),
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget === globalThis.Date ? target : newTarget),
  apply: () => new RealDate(now()).toString(),
})
RealDate.prototype.constructor = globalThis.Date
