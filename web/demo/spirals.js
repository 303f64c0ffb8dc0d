// @ts-check
// Two spirals: the points that the networks learn to tell apart.

/** The points of both spirals. */
export const POINTS = 256;

/** The points: x, y, class (0 or 1), and a number that pads a point to 16 bytes. */
export function spirals() {
  const points = new Float32Array(4 * POINTS);
  const each = POINTS / 2;
  for (let i = 0; i < POINTS; i += 1) {
    const side = i % 2;
    const along = Math.floor(i / 2) / (each - 1);
    const radius = 0.08 + 0.86 * along;
    const angle = 2.8 * Math.PI * along ** 0.8 + Math.PI * side;
    points.set([radius * Math.cos(angle), radius * Math.sin(angle), side, 0], 4 * i);
  }
  return points;
}
