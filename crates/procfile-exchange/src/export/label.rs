//! DNS labels (RFC 1123), for formats that have no other names.

const MAX_LABEL: usize = 63;

/// The label that is nearest to a name: in lower case, with `-` for every character that is not legal, and without `-` at its ends. A
/// label that would be too long is cut and ends in a hash of the whole name, so that long names that begin alike stay apart.
pub(crate) fn label(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let mapped: String = name.chars().map(plain).collect();
    match mapped.trim_matches('-') {
        "" => "process".to_owned(),
        label if label.len() <= MAX_LABEL => label.to_owned(),
        label => {
            let number = format!("{:08x}", fnv1a(name.as_bytes()));
            let head = label[..MAX_LABEL - number.len() - 1].trim_end_matches('-');
            format!("{head}-{number}")
        }
    }
}

/// The FNV-1a hash of some bytes, 32 bits wide.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_the_nearest_label() {
        for (name, wanted) in [
            ("web", "web"),
            ("health_check", "health-check"),
            ("Web_2", "web-2"),
            ("-a-", "a"),
            ("my.app@x", "my-app-x"),
            ("__", "process"),
        ] {
            assert_eq!(label(name), wanted);
        }
        let (one, other) = (format!("{}1", "a_".repeat(60)), format!("{}2", "a_".repeat(60)));
        assert!(label(&one).len() <= MAX_LABEL && label(&one) != label(&other), "{}", label(&one));
        assert_eq!(label(&"a".repeat(63)), "a".repeat(63));
    }
}
