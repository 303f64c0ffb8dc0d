// @ts-check
// Numbers as text.

/**
 * A number with some significant digits, without zeros at the end.
 * @param {number} value
 * @param {number} [digits]
 */
export function significant(value, digits = 4) {
  if (value === 0) return "0";
  if (!Number.isFinite(value)) return String(value).replace("Infinity", "∞").replace("-", "−");
  const size = Math.abs(value);
  const text =
    size >= 1e-4 && size < 1e6
      ? String(Number(value.toPrecision(digits)))
      : value
          .toExponential(digits - 1)
          .replace(/\.?0+e/, "e")
          .replace("e+", "e");
  return text.replaceAll("-", "−");
}

/** A whole number with thin spaces between thousands. @param {number} value */
export function grouped(value) {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** Bytes, in the largest binary unit that divides them well. @param {number} bytes */
export function byteText(bytes) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024;
    unit += 1;
  }
  return `${Number(bytes.toFixed(1))} ${units[unit]}`;
}

/** A duration. @param {number} milliseconds */
export function duration(milliseconds) {
  // No line ends between a number and its unit.
  return milliseconds < 1000
    ? `${significant(milliseconds, 2)}\u00a0ms`
    : `${significant(milliseconds / 1000, 3)}\u00a0s`;
}

/** Elements in a second, as a multiple of 10^6 or 10^9. @param {number} rate */
export function rateText(rate) {
  return rate >= 1e9 ? `${significant(rate / 1e9, 3)} · 10⁹/s` : `${significant(rate / 1e6, 3)} · 10⁶/s`;
}
