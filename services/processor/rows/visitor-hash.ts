/**
 * The 31-bit hash of a visitor in a counter's sketch. It equals `visitor_hash(project_id, visitor_id)` in PostgreSQL, which is
 * `hashtextextended(visitor_id, project_id) & 2147483647`: the low half of Bob Jenkins' lookup3 (1996,
 * http://burtleburtle.net/bob/c/lookup3.c) with a seed, as in src/common/hashfn.c. Both must agree: counters are computed here,
 * and verified and rebuilt there.
 *
 * @param bytes that contain the visitor's id as UTF-8, from `from` to `to`
 */
export function visitorHash(projectId: number, bytes: Buffer, from: number, to: number): number {
  const length = to - from
  copyToKey(bytes, from, length)
  let a = (0x9e3779b9 + length + 3923095) | 0
  let b = a
  let c = a
  // The seed, 64 bits of which the upper half is 0.
  b = (b + projectId) | 0

  let at = 0
  for (; ; at += 12) {
    a = (a - c) ^ ((c << 4) | (c >>> 28))
    c = (c + b) | 0
    b = (b - a) ^ ((a << 6) | (a >>> 26))
    a = (a + c) | 0
    c = (c - b) ^ ((b << 8) | (b >>> 24))
    b = (b + a) | 0
    a = (a - c) ^ ((c << 16) | (c >>> 16))
    c = (c + b) | 0
    b = (b - a) ^ ((a << 19) | (a >>> 13))
    a = (a + c) | 0
    c = (c - b) ^ ((b << 4) | (b >>> 28))
    b = (b + a) | 0
    if (length - at < 12) break
    a = (a + word(at)) | 0
    b = (b + word(at + 4)) | 0
    c = (c + word(at + 8)) | 0
  }
  // The rest. copyToKey() has appended zeros. The lowest byte of the last word is reserved for the length, so it is skipped.
  if (length > at) {
    a = (a + word(at)) | 0
    b = (b + word(at + 4)) | 0
    c = (c + (word(at + 8) << 8)) | 0
  }
  c = (c ^ b) - ((b << 14) | (b >>> 18))
  a = (a ^ c) - ((c << 11) | (c >>> 21))
  b = (b ^ a) - ((a << 25) | (a >>> 7))
  c = (c ^ b) - ((b << 16) | (b >>> 16))
  a = (a ^ c) - ((c << 4) | (c >>> 28))
  b = (b ^ a) - ((a << 14) | (a >>> 18))
  c = (c ^ b) - ((b << 24) | (b >>> 8))
  return c & 0x7fffffff
}

/** Space for a visitor's id of 128 characters and the zeros behind it. It grows for longer ids of other publishers. */
let key = Buffer.alloc(1024)

function copyToKey(bytes: Buffer, from: number, length: number): void {
  if (length + 12 > key.length) key = Buffer.alloc(length + 12)
  for (let at = 0; at < length; at += 1) key[at] = bytes[from + at] as number
  for (let at = length; at < length + 12; at += 1) key[at] = 0
}

function word(at: number): number {
  return (
    (key[at] as number) |
    ((key[at + 1] as number) << 8) |
    ((key[at + 2] as number) << 16) |
    ((key[at + 3] as number) << 24)
  )
}
