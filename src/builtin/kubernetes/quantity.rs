//! Amounts as Kubernetes writes them: `250m`, `128Mi`, `12345678n`, `1e3`.

/// The number that a text stands for (Kubernetes, `resource.Quantity`).
pub(super) fn read(text: &str) -> Option<f64> {
    let end = text
        .find(|letter: char| !letter.is_ascii_digit() && !matches!(letter, '.' | '+' | '-'))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let factor = match suffix {
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1_024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        "Ti" => 1_099_511_627_776.0,
        "Pi" => 1_125_899_906_842_624.0,
        "Ei" => 1_152_921_504_606_846_976.0,
        _ => {
            let power = suffix.strip_prefix(['e', 'E'])?;
            10_f64.powi(power.parse().ok()?)
        }
    };
    let number: f64 = number.parse().ok()?;
    Some(number * factor).filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_numbers() {
        for (text, expect) in [
            ("250m", Some(0.25)),
            ("12500000n", Some(0.0125)),
            ("1", Some(1.0)),
            ("1.5", Some(1.5)),
            ("128Mi", Some(134_217_728.0)),
            ("131072Ki", Some(134_217_728.0)),
            ("1e3", Some(1_000.0)),
            ("2E", Some(2e18)),
            ("", None),
            ("Mi", None),
            ("1Xi", None),
            ("1e999", None),
        ] {
            assert_eq!(read(text), expect, "{text}");
        }
    }
}
