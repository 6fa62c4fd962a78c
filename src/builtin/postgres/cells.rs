//! Values as cells of a table, and what stands below it.

/// A text, or what stands where nothing is.
pub(super) fn text(value: Option<&str>) -> String {
    match value {
        Some(text) if !text.is_empty() => text.to_owned(),
        _ => "–".to_owned(),
    }
}

/// Seconds, to a tenth.
pub(super) fn seconds(value: Option<f64>) -> String {
    value.map_or_else(|| text(None), |seconds| format!("{seconds:.1}"))
}

/// Bytes, in the greatest unit of which there is at least one.
pub(super) fn bytes(value: Option<i64>) -> String {
    let Some(bytes) = value else {
        return text(None);
    };
    let (mut size, mut unit) = (bytes as f64, "B");
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if size.abs() < 1_024.0 {
            break;
        }
        (size, unit) = (size / 1_024.0, next);
    }
    match unit {
        "B" => format!("{bytes} B"),
        _ => format!("{size:.1} {unit}"),
    }
}

/// Leaves the first `limit`; what is to be said where there were more.
pub(super) fn cut<T>(rows: &mut Vec<T>, limit: usize) -> Option<String> {
    let there_is_more = rows.len() > limit;
    rows.truncate(limit);
    there_is_more.then(|| format!("There are more than these {limit}."))
}

/// The words with these notes below.
pub(super) fn with_notes(mut words: String, notes: &[String]) -> String {
    for note in notes {
        if !words.ends_with('\n') {
            words.push('\n');
        }
        words.push_str(note);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_in_the_greatest_unit() {
        for (value, expect) in [
            (None, "–"),
            (Some(0), "0 B"),
            (Some(1_023), "1023 B"),
            (Some(1_536), "1.5 KiB"),
            (Some(5 << 40), "5.0 TiB"),
            (Some(-2_048), "-2.0 KiB"),
        ] {
            assert_eq!(bytes(value), expect);
        }
    }

    #[test]
    fn what_was_left_out_is_told() {
        let mut rows = vec![1, 2, 3];
        assert_eq!(cut(&mut rows, 3), None);
        assert_eq!(
            cut(&mut rows, 2).as_deref(),
            Some("There are more than these 2.")
        );
        assert_eq!(rows, [1, 2]);
    }
}
