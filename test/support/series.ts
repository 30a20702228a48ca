/** Metrics in the exposition format of Prometheus, as a scraper has them. */

import assert from 'node:assert/strict';

/** Values by series, `name{label="value"}`. Throws for a series that is there twice. */
export function seriesOf(text: string): ReadonlyMap<string, number> {
  const series = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const at = line.lastIndexOf(' ');
    assert.ok(!series.has(line.slice(0, at)), `${line} is there twice`);
    series.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return series;
}
