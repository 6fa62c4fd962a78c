// Round steps for axes, and paths from points.

/** Up to `most` round values from 0 to at least `highest`. */
export function ticks(highest, most = 4) {
  const top = highest > 0 ? highest : 1;
  const rough = top / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const values = [];
  for (let at = 0; values.length === 0 || values.at(-1) < top; at += 1) {
    values.push(Number((at * step).toPrecision(12)));
  }
  return values;
}

/** The `d` of a line through `points`, pairs of x and y; a null breaks it. */
export function line(points) {
  let isDown = false;
  let path = '';
  for (const point of points) {
    if (!point) {
      isDown = false;
      continue;
    }
    path += `${isDown ? 'L' : 'M'}${round(point[0])} ${round(point[1])}`;
    isDown = true;
  }
  return path;
}

/** The points that have no neighbour, and so are on no line. */
export function lone(points) {
  return points.filter((point, at) => point && !points[at - 1] && !points[at + 1]);
}

/** The `d` of the area between `points` and the line `y = base`. */
export function area(points, base) {
  const known = points.filter(Boolean);
  if (known.length < 2) {
    return '';
  }
  return `${line(known)}L${round(known.at(-1)[0])} ${round(base)}L${round(known[0][0])} ${round(base)}Z`;
}

function round(value) {
  return Math.round(value * 10) / 10;
}
