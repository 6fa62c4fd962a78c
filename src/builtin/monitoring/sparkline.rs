//! A row of numbers as a row of bars.

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// At most `width` bars for these values, from the least to the greatest of them. Where there are more values than bars,
/// each bar is the mean of its share; where there is no value there is a space.
pub(super) fn sparkline(values: &[Option<f64>], width: usize) -> String {
    let share = values.len().div_ceil(width.max(1)).max(1);
    let means: Vec<Option<f64>> = values.chunks(share).map(mean).collect();
    let known = || means.iter().flatten().copied();
    let least = known().fold(f64::INFINITY, f64::min);
    let greatest = known().fold(f64::NEG_INFINITY, f64::max);
    let bar = |value: &Option<f64>| match value {
        None => ' ',
        // All are the same: a line in the middle.
        Some(_) if greatest <= least => BARS[3],
        Some(value) => {
            let part = (value - least) / (greatest - least);
            BARS[((part * 7.0).round() as usize).min(7)]
        }
    };
    means.iter().map(bar).collect()
}

/// The values that are there and are numbers.
pub(super) fn finite(values: &[Option<f64>]) -> Vec<f64> {
    let known = values.iter().flatten().copied();
    known.filter(|value| value.is_finite()).collect()
}

fn mean(values: &[Option<f64>]) -> Option<f64> {
    let known = finite(values);
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_values() {
        let all = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
        for (values, width, expect) in [
            (
                all(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]),
                8,
                "▁▂▃▄▅▆▇█",
            ),
            (all(&[5.0, 5.0]), 8, "▄▄"),
            (all(&[0.0, 0.0, 9.0, 9.0]), 2, "▁█"),
            (vec![Some(1.0), None, Some(f64::NAN), Some(2.0)], 8, "▁  █"),
            (vec![], 8, ""),
        ] {
            assert_eq!(sparkline(&values, width), expect, "{values:?}");
        }
    }
}
