// The calculator's numbers: a fraction of whole numbers for as long as that is possible, else a rounded one that says so.

const MOST_BITS = 32768; // 7^2023 has 5680; to bring fractions of many more to their lowest terms would take seconds
const MOST_DIGITS = 30; // of a whole number that is shown in full
const HIGHEST_ROOT = 64n;
const MOST_FACTORS = 1000n;

const size = (whole) => (whole < 0n ? -whole : whole).toString(16).length * 4;
const isWhole = (value) => value.near === undefined && value.below === 1n;

/** A number that is near the true one; a calculation with it stays so. */
export function rounded(near) {
  return { near };
}

/** The fraction of two whole numbers in its lowest terms; a rounded number where that would take too long. */
export function fraction(above, below = 1n) {
  if (below === 0n) throw new Error("division by nothing");
  if (size(above) > MOST_BITS || size(below) > MOST_BITS) return rounded(quotient(above, below));
  let [divisor, rest] = below === 1n ? [1n, 0n] : [above, below];
  while (rest) [divisor, rest] = [rest, divisor % rest];
  if ((divisor < 0n) !== (below < 0n)) divisor = -divisor;
  return { above: above / divisor, below: below / divisor };
}

function quotient(above, below) {
  const shift = Math.max(0, size(below) - size(above) + 64);
  return Number((above << BigInt(shift)) / below) * 2 ** -shift;
}

function nearest(value) {
  return value.near ?? quotient(value.above, value.below);
}

/** What a decimal such as -1.5e3 says, without commas. */
export function read(text) {
  const [, sign, whole, part = "", exponent = "0"] = /^(-?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i.exec(text);
  const places = part.length - Number(exponent);
  if (Math.abs(places) > MOST_BITS) return rounded(Number(text));
  const digits = BigInt(`${sign}${whole}${part}`);
  return places > 0 ? fraction(digits, 10n ** BigInt(places)) : fraction(digits * 10n ** BigInt(-places));
}

/** An operation by its exact and its rounded rule. */
const both = (exact, near) => (one, other) =>
  (one.near ?? other.near) === undefined ? exact(one, other) : rounded(near(nearest(one), nearest(other)));

export const add = both((one, other) => fraction(one.above * other.below + other.above * one.below, one.below * other.below), (one, other) => one + other);
export const times = both((one, other) => fraction(one.above * other.above, one.below * other.below), (one, other) => one * other);
export const over = both((one, other) => fraction(one.above * other.below, one.below * other.above), (one, other) => one / other);
export const negative = (value) => times(value, fraction(-1n));
export const less = (one, other) => add(one, negative(other));
export const absolute = (value) => (nearest(value) < 0 ? negative(value) : value);

/** The largest whole number that is not above the value; of a rounded one nobody knows whether it is that. */
export function floor(value) {
  if (value.near !== undefined) return rounded(Math.floor(value.near));
  const cut = value.above / value.below;
  return fraction(cut * value.below > value.above ? cut - 1n : cut);
}

export const ceil = (value) => negative(floor(negative(value)));
export const round = (value) => floor(add(value, fraction(1n, 2n)));

/** What is left of `one` when `other` is taken as often as it fits. */
export const remainder = (one, other) => less(one, times(other, floor(over(one, other))));

/** The whole root of a whole number, or null where it has none. */
function wholeRoot(whole, degree) {
  if (whole < 2n) return whole;
  let root = 1n << BigInt(Math.ceil((size(whole) + 1) / Number(degree)));
  for (;;) {
    const closer = ((degree - 1n) * root + whole / root ** (degree - 1n)) / degree;
    if (closer >= root) return root ** degree === whole ? root : null;
    root = closer;
  }
}

function exactRoot(value, degree) {
  if (degree === 1n) return value;
  if (value.above < 0n || degree > HIGHEST_ROOT) return null;
  const [above, below] = [wholeRoot(value.above, degree), wholeRoot(value.below, degree)];
  return above === null || below === null ? null : fraction(above, below);
}

function exactPower(base, exponent) {
  const root = exactRoot(base, exponent.below);
  if (root === null) return null;
  const factors = exponent.above < 0n ? -exponent.above : exponent.above;
  // Nothing, one and minus one stay as small as they are.
  const isSmall = root.below === 1n && root.above * root.above <= 1n;
  if (!isSmall && BigInt(Math.max(size(root.above), size(root.below))) * factors > 4n * BigInt(MOST_BITS)) return null;
  const [above, below] = [root.above ** factors, root.below ** factors];
  return exponent.above < 0n ? fraction(below, above) : fraction(above, below);
}

export const power = both((base, exponent) => exactPower(base, exponent) ?? rounded(nearest(base) ** nearest(exponent)), (base, exponent) => base ** exponent);
export const squareRoot = (value) => power(value, fraction(1n, 2n));

/** The logarithm of `value`: exact where a whole power of `base` is that value. */
export function logarithm(value, base) {
  const near = base.above === 10n && isWhole(base) ? Math.log10(nearest(value)) : Math.log(nearest(value)) / Math.log(nearest(base));
  const found = Number.isFinite(near) ? fraction(BigInt(Math.round(near))) : null;
  return found && isSame(power(base, found), value) ? found : rounded(near);
}

export function factorial(value) {
  if (!isWhole(value) || value.above < 0n || value.above > MOST_FACTORS) throw new Error("factorial");
  let product = 1n;
  for (let factor = 2n; factor <= value.above; factor += 1n) product *= factor;
  return fraction(product);
}

export const apply = (rule) => (value) => rounded(rule(nearest(value)));
export const isNumber = (value) => value.near === undefined || Number.isFinite(value.near);

function isSame(one, other) {
  return (one.near ?? other.near) === undefined && one.above === other.above && one.below === other.below;
}

/** A whole number of more digits than a double knows: 7^2023 is 4.65e+1709. */
function long(whole) {
  const digits = String(whole < 0n ? -whole : whole);
  const [first, further] = Number(digits.slice(0, 16)).toExponential(11).split("e+");
  return `${whole < 0n ? "-" : ""}${Number(first)}e+${Number(further) + digits.length - 16}`;
}

/** All digits of what is exact and fits; else twelve of them behind “≈”. */
export function format(value) {
  if (isWhole(value) && String(value.above).length <= MOST_DIGITS) return String(value.above);
  if (value.near === undefined && size(value.above / value.below) > 1000) return `≈ ${long(value.above / value.below)}`;
  const text = String(Number(nearest(value).toPrecision(12)));
  return isSame(read(text), value) ? text : `≈ ${text}`;
}
