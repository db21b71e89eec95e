// Choices that a seed repeats. Each operation draws from a generator of its own, made from the seed, the lane and the
// operation's number: what one of them does, and how long it takes, changes nothing about the others.

export class Random {
  #a;
  #b;
  #c;
  #counter = 1;

  // Whole numbers, the lower 32 bits of which count.
  constructor(seed, lane = 0, operation = 0) {
    [this.#a, this.#b, this.#c] = [seed, lane, operation].map((number) => number >>> 0);
    // Until each bit of the three has reached all of the state.
    for (let i = 0; i < 16; i++) this.#next();
  }

  // sfc32, by Chris Doty-Humphrey.
  #next() {
    const result = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  // A whole number from 0 to below `count`.
  below(count) { return Math.floor((this.#next() / 2 ** 32) * count); }
  // A whole number, both ends included.
  between(first, last) { return first + this.below(last - first + 1); }
  oneIn(count) { return this.below(count) === 0; }
  pick(list) { return list[this.below(list.length)]; }
  list(length, make) { return Array.from({ length }, (_, index) => make(index)); }
  numbers(length) { return this.list(length, () => this.between(-1000, 1000)); }

  // Out of [{ weight }], 1 where there is none.
  weighted(list) {
    const weightOf = ({ weight = 1 }) => weight;
    let left = (this.#next() / 2 ** 32) * list.reduce((sum, entry) => sum + weightOf(entry), 0);
    return list.find((entry) => (left -= weightOf(entry)) < 0) ?? list.at(-1);
  }

  text(length) { return this.list(length, () => this.pick(LETTERS)).join(""); }

  // Something that crosses whole, of up to `depth` levels.
  value(depth = 3) {
    const inner = () => this.value(depth - 1);
    const make = this.pick(depth > 0 ? [...PLAIN, ...CONTAINERS] : PLAIN);
    return make(this, inner);
  }
}

const LETTERS = [..."abcdefghij 0123456789-\"\\\u00e9\u4e2d\u{1f600}"];

const PLAIN = [
  (random) => random.between(-5, 5),
  (random) => random.below(2 ** 20) / 1024,
  (random) => random.pick([undefined, null, true, false, -0, NaN, Infinity]),
  (random) => random.text(random.below(40)),
  (random) => BigInt(random.between(-1000, 1000)) ** BigInt(random.between(1, 9)),
  (random) => new Date(random.below(2 ** 31)),
  (random) => new RegExp(random.pick(["a+", "^b", "[c-e]"]), random.pick(["", "g", "iu"])),
  (random) => new Uint8Array(random.list(random.below(50), () => random.below(256))),
  (random) => new Float64Array(random.numbers(random.below(8))),
  (random) => random.numbers(random.below(20)),
];
const CONTAINERS = [
  (random, inner) => random.list(random.below(6), inner),
  (random, inner) => Object.fromEntries(random.list(random.below(6), (index) => [`key ${index}`, inner()])),
  (random, inner) => new Map(random.list(random.below(5), (index) => [index, inner()])),
  (random, inner) => new Set(random.list(random.below(5), (index) => `${index}`)).add(inner()),
  (random, inner) => {
    const holes = [inner(), , inner()];
    holes.length = random.between(3, 6);
    return holes;
  },
  (random, inner) => {
    const value = { shared: inner() };
    value.again = value.shared;
    value.self = value;
    return value;
  },
];
