// Proof of work: what a server asks for where robots are about. A person does not notice it, a thousand sign-ups do.
//
// SHA-256 is written out (FIPS 180-4), because `crypto.subtle` answers one hash at a time and thousands are needed.

/** A puzzle, as the server gives it. */
export interface Puzzle {
  puzzle: string;
  /** Zero bits that the hash of the answer begins with. */
  bits: number;
}

/** Tries between two looks at what else the page has to do. */
const TRIES = 2_000;

/** The answer to a puzzle: the first number that fits, behind it. */
export async function solve({ puzzle, bits }: Puzzle): Promise<string> {
  for (let number = 0; ; number++) {
    const answer = `${puzzle}.${number}`;
    const [first = 0, second = 0] = sha256(answer);
    const zeros = first === 0 ? 32 + Math.clz32(second) : Math.clz32(first);
    if (zeros >= bits) return answer;
    if (number % TRIES === 0) await new Promise((go) => setTimeout(go));
  }
}

/** The fractional parts of a root of the first primes, as 32 bits each. */
function fractions(count: number, root: number): number[] {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) {
    let prime = true;
    for (let by = 2; by * by <= n; by++) prime &&= n % by !== 0;
    if (prime) found.push(((n ** (1 / root)) % 1) * 2 ** 32 | 0);
  }
  return found;
}

const K = fractions(64, 3);
const START = fractions(8, 2);

/** The first words of the hash of a text of ASCII characters. */
export function sha256(text: string): number[] {
  const words = new Int32Array((((text.length + 8) >> 6) + 1) << 4);
  for (let at = 0; at < text.length; at++) words[at >> 2]! |= text.charCodeAt(at) << (24 - (at & 3) * 8);
  words[text.length >> 2]! |= 0x80 << (24 - (text.length & 3) * 8);
  words[words.length - 1] = text.length * 8;
  const hash = [...START];
  const w = new Int32Array(64);
  for (let block = 0; block < words.length; block += 16) {
    let [a, b, c, d, e, f, g, h] = hash as [number, number, number, number, number, number, number, number];
    for (let i = 0; i < 64; i++) {
      w[i] = i < 16 ? words[block + i]! : (small(w[i - 2]!, 17, 19, 10) + w[i - 7]! + small(w[i - 15]!, 7, 18, 3) + w[i - 16]!) | 0;
      const one = (h + big(e, 6, 11, 25) + ((e & f) ^ (~e & g)) + K[i]! + w[i]!) | 0;
      const two = (big(a, 2, 13, 22) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => (hash[i] = (hash[i]! + word) | 0));
  }
  return hash;
}

const turn = (x: number, by: number) => (x >>> by) | (x << (32 - by));
const big = (x: number, a: number, b: number, c: number) => turn(x, a) ^ turn(x, b) ^ turn(x, c);
const small = (x: number, a: number, b: number, c: number) => turn(x, a) ^ turn(x, b) ^ (x >>> c);
